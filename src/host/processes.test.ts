import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseProcessStat } from './processes.ts';

const rest = 'S 7 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 50 18446744073709551615';

test('a process name with brackets, spaces and newlines does not shift the fields', () => {
  for (const name of ['sh', 'a) R 1 (b', ') Z 1 2 3', 'new\nline)']) {
    assert.deepEqual(parseProcessStat(`42 (${name}) ${rest}\n`), { state: 'S', parent: 7, start: 987654 });
  }
});

test('what is no stat line is nothing', () => {
  assert.equal(parseProcessStat(''), undefined);
  assert.equal(parseProcessStat('1 (x) S 1'), undefined);
});
