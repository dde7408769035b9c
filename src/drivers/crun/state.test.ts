import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOf } from './state.ts';

test('the exit code of the first program tells how the guest ended', () => {
  const kinds = [0, 129, 130, 137, 1, 255, 139].map((code) => endOf(code, false).kind);
  assert.deepEqual(kinds, ['poweroff', 'reboot', 'poweroff', 'died', 'died', 'died', 'died']);
  assert.match(endOf(137, true).reason, /all of its memory/);
  assert.match(endOf(139, true).reason, /signal 11/);
});
