import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatRate, parseRate } from './rate-text.ts';
import { LimitsSchema, SetRequestSchema } from './vps.ts';

test('rates are read in powers of 1000 and written so', () => {
  assert.deepEqual(['100M', '1.5G', '64k', '10Mbit/s', '7', 'x', '1MB'].map(parseRate), [
    1e8,
    1.5e9,
    64_000,
    1e7,
    7,
    undefined,
    undefined,
  ]);
  assert.deepEqual([0, 999, 1e8, 1.5e9].map(formatRate), ['0', '999', '100M', '1.5G']);
});

test('a rate that would keep a system from booting is refused, and 0 is no limit', () => {
  for (const change of [{ diskReadRate: '1K' }, { diskWriteOps: 1 }, { networkInRate: '1K' }]) {
    assert.equal(SetRequestSchema.safeParse(change).success, false, JSON.stringify(change));
  }
  const { networkInRate, diskReadRate } = SetRequestSchema.parse({
    networkInRate: '100M',
    diskReadRate: '2M',
  });
  assert.deepEqual([networkInRate, diskReadRate], [1e8, 2 * 1024 ** 2]);
  assert.equal(SetRequestSchema.parse({ networkInRate: 0 }).networkInRate, 0);
});

test('limits that were kept before there were rates have none', () => {
  assert.equal(LimitsSchema.parse({ cpus: 1, memory: 1, disk: 1, pids: 1 }).networkOutRate, 0);
});
