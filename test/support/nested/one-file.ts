import { build } from 'esbuild';

/** Makes one file of a program and all that it imports but koffi, for the Node of a nested host. */
export async function asOneFile(entry: string, target: string): Promise<void> {
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
