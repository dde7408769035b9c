import { join } from 'node:path';
import { makeBundle } from './bundle/make-bundle.ts';

// `npm run bundle`: the archive to install from, without a network. Its folder: bundle/, or the one that is named.
const ROOT = join(import.meta.dirname, '..');
const folder = process.argv[2] ?? join(ROOT, 'bundle');
const began = performance.now();
const bundle = await makeBundle(ROOT, folder);
const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
console.log(`${bundle.path}`);
console.log(`  sha256 ${bundle.digest}`);
console.log(`  ${mebibytes(bundle.size)}; unpacked ${mebibytes(bundle.unpacked)}`);
console.log(`  made in ${((performance.now() - began) / 1000).toFixed(1)} s`);
console.log(`install it: tar xf ${bundle.name}.tar.gz && sudo ./${bundle.name}/mullion quickstart`);
