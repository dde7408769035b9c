import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSpan } from './span.ts';

test('a span is a number and a unit', () => {
  assert.deepEqual(
    ['90s', '5m', '12h', '30d', '2w', '1y'].map(parseSpan),
    [90, 300, 43_200, 2_592_000, 1_209_600, 31_536_000],
  );
  assert.deepEqual(['', '5', 'd', '-1d', '1.5h', '1 month'].map(parseSpan), Array(6).fill(undefined));
});
