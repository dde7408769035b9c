import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isListened, listensFor } from './signal-readiness.ts';

const STATUS =
  'Name:\tinit\nSigQ:\t0/95\nSigBlk:\t0000001000000000\nSigIgn:\t0000000000001000\nSigCgt:\t0000000000004002\n';

test('a signal is listened for that is blocked or has a handler, and no other', () => {
  const heard = Array.from({ length: 64 }, (_, index) => index + 1).filter((signal) =>
    isListened(STATUS, signal),
  );
  assert.deepEqual(heard, [2, 15, 37]);
});

test('this process listens for what it has a handler for', () => {
  const handler = (): void => undefined;
  assert.equal(listensFor(process.pid, 'SIGPWR'), false);
  process.on('SIGPWR', handler);
  assert.equal(listensFor(process.pid, 'SIGPWR'), true);
  process.off('SIGPWR', handler);
  assert.equal(listensFor(2 ** 22 + 1, 'SIGTERM'), false);
});
