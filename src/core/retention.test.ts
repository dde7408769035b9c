import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expired } from './retention.ts';

const KEEP = { last: 0, daily: 0, weekly: 0, monthly: 0 };
const at = (...times: string[]) => times.map((createdAt) => ({ id: createdAt, createdAt }));
const days = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => new Date(Date.UTC(2026, 0, 1 + index, 2)).toISOString());

describe('retention', () => {
  test('keeps everything when there is no rule', () => {
    assert.deepEqual(expired(at(...days(50)), KEEP), []);
  });

  test('keeps the last ones, whatever order they come in', () => {
    const all = days(5);
    assert.deepEqual(expired(at(...all.toReversed()), { ...KEEP, last: 2 }).sort(), all.slice(0, 3));
  });

  test('keeps the newest of each day, week and month', () => {
    const twice = at('2026-01-01T02:00:00Z', '2026-01-01T14:00:00Z', '2026-01-02T02:00:00Z');
    assert.deepEqual(expired(twice, { ...KEEP, daily: 7 }), ['2026-01-01T02:00:00Z']);
    const all = days(120);
    const gone = new Set(expired(at(...all), { ...KEEP, daily: 3, weekly: 2, monthly: 3 }));
    const kept = all.filter((time) => !gone.has(time)).map((time) => time.slice(0, 10));
    // 2026-04-30 is a Thursday; the week before ended on Sunday the 26th.
    assert.deepEqual(kept, [
      '2026-02-28',
      '2026-03-31',
      '2026-04-26',
      '2026-04-28',
      '2026-04-29',
      '2026-04-30',
    ]);
  });

  test('skips periods without a backup instead of counting them', () => {
    const all = at('2025-01-10T02:00:00Z', '2025-06-10T02:00:00Z', '2026-01-10T02:00:00Z');
    assert.deepEqual(expired(all, { ...KEEP, monthly: 2 }), ['2025-01-10T02:00:00Z']);
  });

  test('never lets the newest go', () => {
    assert.deepEqual(expired(at('2026-01-01T02:00:00Z'), { ...KEEP, monthly: 1 }), []);
    assert.deepEqual(expired([], { ...KEEP, last: 1 }), []);
  });
});
