import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages } from '../../scripts/debian-packages.ts';
import { isRingName } from '../../scripts/rings.ts';
import { CACHE } from '../support/test-image.ts';
import { FreshMachine } from './machine.ts';
import { isReleaseName, RELEASE_NAMES, RELEASES } from './releases.ts';
import { cachedRoot, unpackRoot } from './root.ts';

// `npm run test:fresh -- 12|13 [RING...]`: what README says, on a machine that has only what README asks for. The
// commit is tested, not the working tree. Rings besides unit and conformance need time: name them when wanted.
const LIMIT_MS = 90 * 60_000;
const ROOT = join(import.meta.dirname, '../..');

const [release = '', ...rings] = process.argv.slice(2);
if (!isReleaseName(release) || !rings.every(isRingName)) {
  console.error(`usage: npm run test:fresh -- ${RELEASE_NAMES.join('|')} [RING...]`);
  process.exit(2);
}
const missing = ensureDebianPackages(['runtime', 'fresh']);
if (missing !== undefined) {
  console.error(`a fresh machine cannot be made: ${missing}`);
  process.exit(3);
}

const cache = join(CACHE, 'fresh');
const archive = await cachedRoot(RELEASES[release], cache);
await using machine = new FreshMachine();
unpackRoot(RELEASES[release], archive, machine.root);
copyFileSync(join(import.meta.dirname, 'as-a-new-user.sh'), join(machine.root, 'root/as-a-new-user.sh'));
const chosen = rings.length === 0 ? ['unit', 'conformance'] : rings;
const began = performance.now();
const code = await machine.run(
  ROOT,
  join(cache, `debian-${release}`),
  ['bash', '/root/as-a-new-user.sh', ...chosen],
  LIMIT_MS,
);
const minutes = Math.round((performance.now() - began) / 6_000) / 10;
console.log(
  `\nDebian ${release}: ${code === 0 ? 'passed' : `failed with exit code ${code}`} in ${minutes} minutes`,
);
process.exitCode = code === 0 ? 0 : 1;
