import { ensureDebianPackages } from './debian-packages.ts';
import { primeImageCache } from './image-cache.ts';
import type { Ring } from './rings.ts';
import { runRing } from './run-ring.ts';
import { succeeded, summary } from './summary.ts';

/**
 * Every test of isolation, and all others that have a long form (test/support/long-form.ts): `npm test` runs these in their
 * short one, and does not run test/isolation.
 */
const ISOLATION: Ring = {
  name: 'isolation',
  files: [
    'test/e2e/api-fuzz.test.ts',
    'test/kernel/floods.test.ts',
    'test/kernel/crun-attacks.test.ts',
    'test/kernel/crun-neighbours.test.ts',
    'test/kernel/crun-view.test.ts',
    'test/kernel/leak-score.test.ts',
    'test/escape/**/*.test.ts',
    'test/e2e/backup-disaster.test.ts',
    'test/e2e/machine-copies.test.ts',
    'test/kernel/backup-interrupted.test.ts',
    'test/kernel/images-interrupted.test.ts',
    'test/nested/boots.test.ts',
    'test/nested/disaster.test.ts',
    'test/nested/pvh.test.ts',
    'test/isolation/**/*.test.ts',
  ],
  concurrency: 1,
  timeoutMs: 3_600_000,
};

process.env.MULLION_LONG_FORM = '1';
const missing = ensureDebianPackages(['runtime', 'test']);
if (missing !== undefined) console.log(`the host is not fully set up: ${missing}`);
else if (!(await primeImageCache())) console.log('the image that tests launch could not be built; see above');
const outcomes = await runRing(ISOLATION);
console.log(`\n${summary(outcomes)}`);
process.exitCode = succeeded(outcomes) ? 0 : 1;
