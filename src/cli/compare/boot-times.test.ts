import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockOffset, parseBootTimes, parseClock } from './boot-times.ts';

test("systemd's times of its boot are read in seconds", () => {
  const output = 'UserspaceTimestampMonotonic=4250000\nFinishTimestampMonotonic=9500000\n';
  assert.deepEqual(parseBootTimes(output), { userspace: 4.25, ready: 9.5 });
});

test('units that are still being started have no end, and a guest without systemd no times', () => {
  const output = 'UserspaceTimestampMonotonic=4250000\nFinishTimestampMonotonic=0\n';
  assert.deepEqual(parseBootTimes(output), { userspace: 4.25, ready: undefined });
  assert.equal(parseBootTimes('systemctl: not found'), undefined);
});

test("the guest's clock is read from the start of a program", () => {
  assert.equal(parseClock('123456\n'), 1234.56);
  assert.equal(parseClock('nothing'), undefined);
});

test('two clocks are compared by the look that took the least time', () => {
  const looks = [
    { asked: 100, answered: 104, guest: 3 },
    { asked: 110, answered: 110.5, guest: 10 },
  ];
  assert.equal(clockOffset(looks), 100.25);
  assert.equal(clockOffset([]), undefined);
});
