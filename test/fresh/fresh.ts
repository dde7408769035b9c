import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDebianPackages } from '../../scripts/debian-packages.ts';
import { isRingName } from '../../scripts/rings.ts';
import { CACHE } from '../support/test-image.ts';
import { BootedMachine } from './booted-machine.ts';
import { environment, FreshMachine } from './machine.ts';
import { booted, isReleaseName, RELEASE_NAMES, RELEASES, type Release } from './releases.ts';
import { cachedRoot, unpackRoot } from './root.ts';

// `npm run test:fresh -- 12|13 [RING...]`: what README says, on a machine that has only what README asks for. The
// commit is tested, not the working tree. Rings besides unit and conformance need time: name them when wanted.
const LIMIT_MS = 90 * 60_000;
const BOOTED = 'booted';
const ROOT = join(import.meta.dirname, '../..');
const NEW_USER = join(import.meta.dirname, 'as-a-new-user.sh');

const [release = '', ...words] = process.argv.slice(2);
const boots = words[0] === BOOTED;
const rings = boots ? words.slice(1) : words;
if (!isReleaseName(release) || !rings.every(isRingName)) {
  console.error(`usage: npm run test:fresh -- ${RELEASE_NAMES.join('|')} [${BOOTED}] [RING...]`);
  process.exit(2);
}
const missing = ensureDebianPackages(['runtime', 'fresh', ...(boots ? (['test'] as const) : [])]);
if (missing !== undefined) {
  console.error(`a fresh machine cannot be made: ${missing}`);
  process.exit(3);
}

const cache = join(CACHE, 'fresh');
const began = performance.now();
const code = boots ? await onBooted(RELEASES[release]) : await besideThisMachine(RELEASES[release]);
const minutes = Math.round((performance.now() - began) / 6_000) / 10;
console.log(
  `\nDebian ${release}: ${code === 0 ? 'passed' : `failed with exit code ${code}`} in ${minutes} minutes`,
);
process.exitCode = code === 0 ? 0 : 1;

/** In a root of its own on this machine's kernel. */
async function besideThisMachine(made: Release): Promise<number> {
  const archive = await cachedRoot(made, cache);
  await using machine = new FreshMachine();
  unpackRoot(made, archive, machine.root);
  copyFileSync(NEW_USER, join(machine.root, 'root/as-a-new-user.sh'));
  const chosen = rings.length === 0 ? ['unit', 'conformance'] : rings;
  const argv = ['bash', '/root/as-a-new-user.sh', ...chosen];
  return await machine.run(ROOT, join(cache, `debian-${release}`), argv, LIMIT_MS);
}

/** On an emulated machine, whose first process is systemd; ten times as slow, so that no ring runs unless it is named. */
async function onBooted(plain: Release): Promise<number> {
  const made = booted(plain);
  const archive = await cachedRoot(made, cache);
  using machine = new BootedMachine();
  unpackRoot(made, archive, machine.root);
  copyFileSync(NEW_USER, join(machine.root, 'root/as-a-new-user.sh'));
  return await machine.run(
    ROOT,
    environment(),
    ['bash', '/root/as-a-new-user.sh', ...rings].join(' '),
    LIMIT_MS,
  );
}
