import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { pidfdOpen, readable } from './libc.ts';

const SIGNALS = 20_000;

test('what is readable can be asked while signals arrive', async (t) => {
  const received = (): void => undefined;
  process.on('SIGWINCH', received);
  t.after(() => process.off('SIGWINCH', received));
  const script = `for (let i = 0; i < ${SIGNALS}; i++) process.kill(${process.pid}, 'SIGWINCH')`;
  const sender = spawn(process.execPath, ['--eval', script]);
  const ended = once(sender, 'exit');
  assert.ok(sender.pid !== undefined);
  const pidfd = pidfdOpen(sender.pid);
  t.after(() => closeSync(pidfd));
  while (readable([pidfd])[0] !== true);
  // So many signals at once leave no room for the one of the sender's end, which libuv then drops: it comes again.
  await setImmediate();
  process.kill(process.pid, 'SIGCHLD');
  assert.deepEqual(await ended, [0, null]);
});
