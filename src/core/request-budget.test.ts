import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestBudget } from './request-budget.ts';

test('a budget allows a burst, then its rate, each key for itself', () => {
  const budget = new RequestBudget(10, 3);
  const taken = [1, 2, 3, 4].map(() => budget.take('a', 0));
  assert.deepEqual(taken, [true, true, true, false]);
  assert.ok(budget.take('b', 0));
  assert.equal(budget.take('a', 50), false);
  assert.ok(budget.take('a', 100));
  assert.equal(budget.take('a', 100), false);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => budget.take('a', 1_000_000)),
    [true, true, true, false],
  );
});

test('the keys that were asked about longest ago are forgotten', () => {
  const budget = new RequestBudget(0, 1, 2);
  for (const key of ['a', 'b', 'c']) assert.ok(budget.take(key, 0));
  assert.ok(budget.take('a', 0), 'forgotten');
  assert.equal(budget.take('c', 0), false);
});
