import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../contract/errors.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import { isShort, noRoomFor, tellsOfNoRoom } from './pool-room.ts';

test('what has no room is told with what is left and, where that is known, what it needs', () => {
  const room = { size: GIB, free: 60 * MIB };
  const known = noRoomFor('the image a', room, 100 * MIB);
  assert.equal(known.code, 'insufficient_disk');
  assert.match(known.message, /the image a: 60M are left in the pool, .*; it needs 100M\./);
  assert.deepEqual(known.details.needed, 100 * MIB);
  assert.doesNotMatch(noRoomFor('the image a', room).message, /needs/);
  assert.doesNotMatch(noRoomFor('the image a', room, 0).message, /needs/);
});

test('a twentieth of a pool, at most two gigabytes, is kept for VPSs', () => {
  assert.equal(isShort({ size: GIB, free: 51 * MIB }), true);
  assert.equal(isShort({ size: GIB, free: 52 * MIB }), false);
  assert.equal(isShort({ size: 1000 * GIB, free: 2 * GIB }), false);
});

test('the lack of room is known by what programs, causes and the pool itself say', () => {
  const wrapped = new Error('it failed', { cause: new Error('write ENOSPC') });
  const stderr = new MullionError('command_failed', 'tar failed', {
    details: { stderr: 'Disk quota exceeded' },
  });
  const pool = new MullionError('insufficient_disk', 'The pool is full: 1M left.');
  for (const failure of [wrapped, stderr, pool]) assert.equal(tellsOfNoRoom(failure), true, failure.message);
  for (const failure of [undefined, 'ENOSPC', new Error('no such file')])
    assert.equal(tellsOfNoRoom(failure), false);
});
