import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endOf } from './end.ts';

test('the exit code of the process tells how a guest ended', () => {
  assert.equal(endOf(0, false).kind, 'poweroff');
  assert.deepEqual(endOf(134, false), { kind: 'died', reason: "the guest's kernel panicked" });
  assert.match(endOf(137, true).reason, /memory/);
  assert.match(endOf(137, false).reason, /signal 9/);
  assert.match(endOf(1, false).reason, /exit code 1/);
});
