import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counterKhz, khzBetween } from './counter.ts';
import { hasSteadyCounter } from './virtualization.ts';

test('the speed of a counter is what it counts in a time', () => {
  const from = { counter: 5_000_000n, time: 1_000n };
  assert.equal(khzBetween(from, { counter: 5_000_000n + 209_601_200n, time: 100_001_000n }), 2_096_010);
});

test("the speed of this processor's counter is that of a processor, and always the same", async (t) => {
  if (process.arch !== 'x64' || !hasSteadyCounter()) return t.skip('its counter has not always one speed');
  const khz = await counterKhz();
  assert.ok(khz !== undefined && khz > 500_000 && khz < 8_000_000, String(khz));
  assert.equal(await counterKhz(), khz);
});
