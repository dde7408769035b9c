import { chmod, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';

// Bundles the command line and the daemon into dist/, in pieces that are loaded when they are needed. What is there
// stays whole until the new build is: a command that runs meanwhile finds its pieces.
const root = join(import.meta.dirname, '..');
const next = join(root, 'dist.next');

await rm(next, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: { mullion: 'src/cli/main.ts', daemon: 'src/daemon.ts' },
  outdir: next,
  outExtension: { '.js': '.mjs' },
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node24',
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: 'none',
  // koffi loads a shared library that lies beside its own files.
  external: ['koffi'],
  // CommonJS packages inside an ES module call require for Node's own modules.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
  logLevel: 'warning',
});
await chmod(next, 0o755);
const dist = join(root, 'dist');
await rm(join(root, 'dist.old'), { recursive: true, force: true });
await rename(dist, join(root, 'dist.old')).catch((error) => {
  if (error.code !== 'ENOENT') throw error;
});
await rename(next, dist);
await rm(join(root, 'dist.old'), { recursive: true, force: true });
