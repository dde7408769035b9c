import { createHash } from 'node:crypto';
import { chmod, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

// Bundles the command line and the daemon into dist/, in pieces that are loaded when they are needed. What is there
// stays whole until the new build is: a command that runs meanwhile finds its pieces.
const root = join(import.meta.dirname, '..');
const next = join(root, 'dist.next');

await rm(next, { recursive: true, force: true });
const common = {
  absWorkingDir: root,
  bundle: true,
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // koffi loads a shared library that lies beside its own files.
  external: ['koffi'],
  logLevel: 'warning',
};

// Commands of these files need the daemon's rooms: they are pieces of their own, which the light bundle only names.
const whole = {
  quickstart: 'src/cli/quickstart/command.ts',
  'daemon-start': 'src/cli/daemon/daemon-start.ts',
  'daemon-stop': 'src/cli/daemon/daemon-stop.ts',
  'daemon-status': 'src/cli/daemon/daemon-status.ts',
  'daemon-run': 'src/cli/daemon/daemon-run.ts',
};
const leaveOut = {
  name: 'leave out what needs the daemon',
  setup({ onResolve }) {
    onResolve({ filter: /^\.\/(?:quickstart|daemon)\// }, ({ path, kind }) => {
      const entry = Object.entries(whole).find(([, source]) => source.endsWith(path.slice(1)));
      if (kind !== 'dynamic-import' || entry === undefined) return undefined;
      return { path: `./command-${entry[0]}.mjs`, external: true };
    });
  },
};

await build({
  ...common,
  entryPoints: {
    whole: 'src/cli/main.ts',
    daemon: 'src/daemon.ts',
    ...Object.fromEntries(Object.entries(whole).map(([name, source]) => [`command-${name}`, source])),
  },
  outdir: next,
  outExtension: { '.js': '.mjs' },
  // Flat: code finds package.json one folder above itself.
  chunkNames: 'chunk-[hash]',
  splitting: true,
  format: 'esm',
  // CommonJS packages inside an ES module call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
});
await build({
  ...common,
  entryPoints: ['src/cli/main.ts'],
  outfile: join(next, 'light.cjs'),
  format: 'cjs',
  define: { 'import.meta.dirname': '__dirname', 'import.meta.filename': '__filename' },
  plugins: [leaveOut],
});
await build({
  ...common,
  entryPoints: ['src/cli/bundle-entry.ts'],
  outfile: join(next, 'mullion.mjs'),
  format: 'esm',
});
// Tells builds apart, whatever their version: a daemon that runs from an older one is found by it.
const digest = createHash('sha256');
for (const name of (await readdir(next)).sort()) digest.update(name).update(await readFile(join(next, name)));
for (const name of ['mullion', 'package-lock.json']) digest.update(await readFile(join(root, name)));
await writeFile(join(next, 'build-id'), digest.digest('hex').slice(0, 16));
await chmod(next, 0o755);
const dist = join(root, 'dist');
await rm(join(root, 'dist.old'), { recursive: true, force: true });
await rename(dist, join(root, 'dist.old')).catch((error) => {
  if (error.code !== 'ENOENT') throw error;
});
await rename(next, dist);
await rm(join(root, 'dist.old'), { recursive: true, force: true });
