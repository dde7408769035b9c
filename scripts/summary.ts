import type { Outcome } from './test-reporter.ts';

/** What failed or passed at the second try, what was skipped with its reason, and last the line that counts. */
export function summary(outcomes: readonly Outcome[]): string {
  const failed = outcomes.filter(({ type }) => type === 'failed');
  const skipped = outcomes.filter((outcome) => outcome.type === 'skipped');
  const flaky = outcomes.filter(({ type }) => type === 'flaky');
  const passed = outcomes.length - failed.length - skipped.length;
  return [
    ...failed.map(({ name, file }) => `failed: ${name}${file === '' ? '' : ` (${file})`}`),
    ...flaky.map(({ name, file }) => `flaky: ${name} (${file}): failed, and passed when it ran again`),
    ...skipped.map(({ name, reason }) => `skipped: ${name}: ${reason}`),
    `${passed} passed, ${failed.length} failed, ${skipped.length} skipped`,
  ].join('\n');
}

/** A run without a passed test proves nothing. */
export const succeeded = (outcomes: readonly Outcome[]): boolean =>
  outcomes.some(({ type }) => type === 'passed') && !outcomes.some(({ type }) => type === 'failed');
