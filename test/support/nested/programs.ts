import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { scratchDirectory } from '../scratch.ts';
import type { NestedHost } from './nested-host.ts';

/** Puts a program beside the bundle's own, where koffi is found; the path of its one file. */
export async function installProgram(host: NestedHost, entry: string): Promise<string> {
  using scratch = scratchDirectory('program');
  const name = `${basename(entry, '.ts')}.mjs`;
  const file = join(scratch.path, name);
  await asOneFile(entry, file);
  const installed = `${host.installed}/dist/${name}`;
  await host.push(file, installed);
  return installed;
}

/** Makes one file of a program and all that it imports but koffi, for the Node of a nested host. */
async function asOneFile(entry: string, target: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outfile: target,
    ...{ bundle: true, platform: 'node', target: 'node24', format: 'esm', external: ['koffi'] },
    banner: {
      js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
    },
    logLevel: 'warning',
  });
}
