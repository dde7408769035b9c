import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupId } from './groups.ts';

test('a group is found by its whole name', () => {
  const text = 'root:x:0:\nmull:x:7:\nmullion:x:990:alice,bob\n';
  assert.equal(groupId('mullion', text), 990);
  assert.equal(groupId('mullio', text), undefined);
  assert.equal(groupId('root', text), 0);
});
