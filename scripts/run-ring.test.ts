import assert from 'node:assert/strict';
import { test } from 'node:test';
import { afterSecondTry } from './run-ring.ts';
import { succeeded, summary } from './summary.ts';
import type { Outcome } from './test-reporter.ts';

const outcome = (type: 'passed' | 'failed', name: string): Outcome => ({ type, name, file: '/t/a.test.ts' });

test('what failed and then passed is flaky, and named as such', () => {
  const first = [outcome('passed', 'one'), outcome('failed', 'two')];
  const both = afterSecondTry(first, [outcome('passed', 'one'), outcome('passed', 'two')]);
  assert.deepEqual(
    both.map(({ type }) => type),
    ['passed', 'flaky'],
  );
  assert.ok(succeeded(both));
  assert.match(summary(both), /^flaky: two \(\/t\/a\.test\.ts\)[^\n]*\n2 passed, 0 failed, 0 skipped$/);
});

test('what fails twice, or never ran again, has failed', () => {
  const first = [outcome('failed', 'one'), outcome('failed', 'two')];
  const both = afterSecondTry(first, [outcome('failed', 'one')]);
  assert.deepEqual(
    both.map(({ type }) => type),
    ['failed', 'failed'],
  );
  assert.ok(!succeeded(both));
});

test('what fails at the second try only has failed too', () => {
  const first = [outcome('failed', 'one'), outcome('passed', 'two')];
  const second = [outcome('passed', 'one'), outcome('failed', 'two'), outcome('failed', 'three')];
  const both = afterSecondTry(first, second);
  assert.deepEqual(
    both.map(({ type, name }) => `${name} ${type}`),
    ['one flaky', 'two failed', 'three failed'],
  );
});
