import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { plainBytes } from './decompress.ts';

const NOWHERE = '/nowhere/upload';

test('bytes of a file that went away fail whoever reads them, and nobody else', async () => {
  // An error event that nobody hears would fail this test, and end a daemon.
  void plainBytes(NOWHERE);
  for (let turn = 0; turn < 20; turn++) await setImmediate();
  await assert.rejects(plainBytes(NOWHERE).next(), { code: 'ENOENT' });
});
