import assert from 'node:assert/strict';
import { test } from 'node:test';
import { blockTime } from './block-times.ts';

const copiedAfter = new Date('2026-01-01T00:00:00.500Z');
const ns = (date: Date): bigint => BigInt(date.getTime()) * 1_000_000n;

test('blocks have the change time of a disk that was long at rest, to the nanosecond', () => {
  const changed = ns(copiedAfter) - 3_600_000_000_007n;
  assert.equal(blockTime(changed, copiedAfter, 5n), changed);
});

test('a disk that changed about when it was copied gets a time that never comes again', () => {
  for (const offset of [-99_000_000n, 0n, 1n, 3_600_000_000_000n]) {
    assert.equal(blockTime(ns(copiedAfter) + offset, copiedAfter, 5n), 5n, String(offset));
  }
});
