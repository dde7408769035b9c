import { RINGS } from './rings.ts';
import { runRing } from './run-ring.ts';
import { runStaticChecks } from './static-checks.ts';
import { succeeded, summary } from './summary.ts';

// The quick gate, without root and without a change to the host.
const outcomes = runStaticChecks();
for (const ring of [RINGS.unit, RINGS.conformance]) outcomes.push(...(await runRing(ring, true)));
console.log(`\n${summary(outcomes)}`);
process.exitCode = succeeded(outcomes) ? 0 : 1;
