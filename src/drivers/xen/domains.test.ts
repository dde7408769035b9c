import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conditionOf, endOf, hasEnded, parseDomains } from './domains.ts';

const LISTING = `Name                                        ID   Mem VCPUs	State	Time(s)   UUID                            Reason-Code	Security Label
Domain-0                                     0   576     1     r-----      16.4 00000000-0000-0000-0000-000000000000        -                -
mullion-ab12-v1                              3   192     2     --p---       0.0 74fe71ca-e81a-11f1-b30c-d51b4523137d        -                -
mullion-ab12-a-name-that-is-longer-than-its-column-in-the-table    4   192     1     -b----     110.7 74fe71ca-e81a-11f1-b30c-d51b45231371        -                -
mullion-ab12-v2                              5   192     1     ---sr-       9.5 74fe71ca-e81a-11f1-b30c-d51b45231372        1                -
mullion-ab12-v3                              6     0     1     ---s-d       9.5 74fe71ca-e81a-11f1-b30c-d51b45231373        0                -
mullion-ab12-v4                              8   192     1     ---s--       9.5 74fe71ca-e81a-11f1-b30c-d51b45231375        2                -
(null)                                       7     0     1     --p--d       9.5 74fe71ca-e81a-11f1-b30c-d51b45231374        -                -
`;

test('a listing of domains is read line by line, whatever the length of a name', () => {
  const domains = parseDomains(LISTING);
  assert.deepEqual(
    domains.map(({ id }) => id),
    [0, 3, 4, 5, 6, 8, 7],
  );
  assert.deepEqual(domains[1], {
    name: 'mullion-ab12-v1',
    id: 3,
    memoryMib: 192,
    cpus: 2,
    state: { paused: true, shutdown: false, dying: false },
    cpuSeconds: 0,
    uuid: '74fe71ca-e81a-11f1-b30c-d51b4523137d',
    shutdownReason: undefined,
  });
  assert.equal(domains[2]?.cpuSeconds, 110.7);
});

test('a domain that is paused was prepared, unless its guest was let run before', () => {
  const [, paused, running, shut, dying] = parseDomains(LISTING);
  assert.equal(conditionOf(paused, false), 'prepared');
  assert.equal(conditionOf(paused, true), 'paused');
  assert.equal(conditionOf(running, true), 'running');
  for (const ended of [shut, dying, undefined]) assert.equal(conditionOf(ended, true), 'gone');
});

test('a domain that lays itself to sleep, for its memory to be saved, stands still and has not ended', () => {
  const asleep = parseDomains(LISTING)[5];
  assert.ok(asleep !== undefined && !hasEnded(asleep));
  assert.equal(conditionOf(asleep, true), 'paused');
});

test('a domain that has shut down tells how', () => {
  const [, , , reboot, off] = parseDomains(LISTING);
  assert.equal(endOf(reboot).kind, 'reboot');
  assert.equal(endOf(off).kind, 'poweroff');
  assert.equal(endOf(undefined).kind, 'died');
});
