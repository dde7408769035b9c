import { ensureDebianPackages } from './debian-packages.ts';
import { primeImageCache } from './image-cache.ts';
import type { Ring } from './rings.ts';
import { runRing } from './run-ring.ts';
import { succeeded, summary } from './summary.ts';
import type { Outcome } from './test-reporter.ts';

// `npm run test:isolation` and `npm run test:long`: tests with a long form (test/support/long-form.ts) run it. `npm test`
// runs them in their short one, and does not run test/isolation.
const FORMS = {
  isolation: {
    name: 'isolation',
    files: [
      'test/e2e/api-fuzz.test.ts',
      'test/e2e/noisy-neighbours.test.ts',
      'test/kernel/floods.test.ts',
      'test/kernel/crun-attacks.test.ts',
      'test/kernel/crun-neighbours.test.ts',
      'test/kernel/crun-view.test.ts',
      'test/kernel/leak-score.test.ts',
      'test/escape/**/*.test.ts',
      'test/isolation/**/*.test.ts',
    ],
    concurrency: 1,
    timeoutMs: 3_600_000,
  },
  data: {
    name: 'data',
    files: [
      'test/e2e/backup-disaster.test.ts',
      'test/e2e/machine-copies.test.ts',
      'test/kernel/backup-interrupted.test.ts',
      'test/kernel/images-interrupted.test.ts',
    ],
    concurrency: 1,
    timeoutMs: 3_600_000,
  },
  nested: {
    name: 'nested',
    files: [
      'test/nested/boots.test.ts',
      'test/nested/compare.test.ts',
      'test/nested/disaster.test.ts',
      'test/nested/drivers.test.ts',
      'test/nested/pvh.test.ts',
    ],
    concurrency: 1,
    timeoutMs: 3_600_000,
  },
} as const satisfies Record<string, Ring>;

const wanted = process.argv.slice(2);
const forms = Object.values(FORMS).filter(({ name }) => wanted.length === 0 || wanted.includes(name));
if (forms.length < wanted.length) {
  console.error(`usage: npm run test:long -- [${Object.keys(FORMS).join('|')}]...`);
  process.exit(2);
}
process.env.MULLION_LONG_FORM = '1';
const missing = ensureDebianPackages(['runtime', 'test']);
if (missing !== undefined) console.log(`the host is not fully set up: ${missing}`);
else if (!(await primeImageCache())) console.log('the image that tests launch could not be built; see above');
const outcomes: Outcome[] = [];
for (const form of forms) outcomes.push(...(await runRing(form)));
console.log(`\n${summary(outcomes)}`);
process.exitCode = succeeded(outcomes) ? 0 : 1;
