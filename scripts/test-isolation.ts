import { ensureDebianPackages } from './debian-packages.ts';
import { primeImageCache } from './image-cache.ts';
import type { Ring } from './rings.ts';
import { runRing } from './run-ring.ts';
import { succeeded, summary } from './summary.ts';

/** Tests of isolation that have a long form (test/support/long-form.ts): `npm test` runs them in their short one. */
const LONG_FORMS: Ring = {
  name: 'isolation',
  files: ['test/e2e/api-fuzz.test.ts', 'test/kernel/floods.test.ts', 'test/isolation/**/*.test.ts'],
  concurrency: 1,
  timeoutMs: 3_600_000,
};

process.env.MULLION_LONG_FORM = '1';
const missing = ensureDebianPackages(['runtime', 'test']);
if (missing !== undefined) console.log(`the host is not fully set up: ${missing}`);
else if (!(await primeImageCache())) console.log('the image that tests launch could not be built; see above');
const outcomes = await runRing(LONG_FORMS);
console.log(`\n${summary(outcomes)}`);
process.exitCode = succeeded(outcomes) ? 0 : 1;
