import { buildOnce } from './build-once.ts';
import { ensureDebianPackages } from './debian-packages.ts';
import { primeImageCache, primeNestedHosts } from './image-cache.ts';
import { isRingName, RING_NAMES, RINGS, type RingName, ringOf } from './rings.ts';
import { runRing } from './run-ring.ts';
import { runStaticChecks } from './static-checks.ts';
import { succeeded, summary } from './summary.ts';
import type { Outcome } from './test-reporter.ts';

// Every ring, that of nested hosts in its brief form: `npm test`; in its whole form: `npm test -- all`; some rings:
// `npm test -- unit e2e`.
const words = process.argv.slice(2);
const all = words.length === 1 && words[0] === 'all';
const chosen = all ? [] : words;
const unknown = chosen.filter((name) => !isRingName(name));
if (unknown.length > 0) {
  console.error(`no such ring: ${unknown.join(', ')}; there are ${RING_NAMES.join(', ')}, and all`);
  process.exit(2);
}

buildOnce();
const missing = ensureDebianPackages(['runtime', 'test']);
if (missing !== undefined) console.log(`the host is not fully set up: ${missing}`);

const rings = chosen.length > 0 ? chosen.filter(isRingName) : RING_NAMES;
if (words.length === 0) process.env.MULLION_BRIEF_FORM = '1';
const LAUNCHING: readonly RingName[] = ['kernel', 'e2e', 'escape', 'nested'];
/** What the machines that rings launch are made of: built while what launches none runs. */
const prime = async (): Promise<void> => {
  if (missing !== undefined || !rings.some((name) => LAUNCHING.includes(name))) return;
  if (!(await primeImageCache())) console.log('the image that tests launch could not be built; see above');
  if (rings.some((name) => ringOf(name).elsewhere) && !(await primeNestedHosts()))
    console.log('the nested hosts could not be built; see above');
};
const primed = prime();

const outcomes: Outcome[] = chosen.length === 0 ? runStaticChecks() : [];
for (const name of rings) {
  if (LAUNCHING.includes(name)) await primed;
  console.log(`\n=== ring ${name}`);
  const began = performance.now();
  const ring = await runRing(RINGS[name]);
  outcomes.push(...ring);
  console.log(
    `=== ring ${name}: ${ring.length} tests in ${Math.round((performance.now() - began) / 1000)} s`,
  );
}
console.log(`\n${summary(outcomes)}`);
process.exitCode = succeeded(outcomes) ? 0 : 1;
