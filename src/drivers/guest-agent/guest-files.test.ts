import assert from 'node:assert/strict';
import { PassThrough, Readable } from 'node:stream';
import { test } from 'node:test';
import { MullionError } from '../../contract/errors.ts';
import type { ExecSession } from '../driver.ts';
import { lost } from './exec-end.ts';
import { listFiles, pullFile, pushFile } from './guest-files.ts';

/** A command whose connection is lost in the midst of its output and its input. */
async function cutOff(): Promise<ExecSession> {
  const [stdin, stdout] = [new PassThrough({ highWaterMark: 1 }), new PassThrough()];
  const exit = new Promise<number>((_, reject) => {
    setImmediate(() => {
      stdin.destroy();
      stdout.destroy();
      reject(lost('the connection to the command was lost'));
    });
  });
  exit.catch(() => undefined);
  const nothing = (): void => undefined;
  return { stdin, stdout, stderr: undefined, exit, resize: nothing, signal: nothing, close: nothing };
}

test('files of a guest whose command is lost end with that, whatever was under way', async () => {
  const unresponsive = (failure: unknown): boolean =>
    failure instanceof MullionError && failure.code === 'guest_unresponsive';
  await assert.rejects(listFiles(cutOff, '/etc'), unresponsive);
  await assert.rejects(pullFile(cutOff, '/etc/hostname'), unresponsive);
  const content = Readable.from(Array.from({ length: 100 }, () => Buffer.alloc(65_536)));
  await assert.rejects(pushFile(cutOff, '/x', content, 0o600), unresponsive);
});
