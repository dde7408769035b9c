import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { eventually, scratchDirectory } from '../../../test/support/scratch.ts';
import { boundLog, LOG_LIMIT, readLog } from './console-log.ts';

const never = new AbortController().signal;
const ended = async (): Promise<boolean> => false;

function logFile(t: TestContext, content: string): string {
  const scratch = scratchDirectory('console-log');
  t.after(() => scratch[Symbol.dispose]());
  const path = join(scratch.path, 'console.log');
  writeFileSync(path, content);
  return path;
}

async function text(stream: Readable): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(Buffer.from(part));
  return Buffer.concat(parts).toString();
}

test('the last lines are what was asked for, with and without an end of line', async (t) => {
  const read = (path: string, lines?: number) =>
    text(readLog(path, { follow: false, lines, signal: never, isLive: ended }));
  const whole = logFile(t, 'a\nb\nc\n');
  assert.equal(await read(whole), 'a\nb\nc\n');
  assert.equal(await read(whole, 2), 'b\nc\n');
  assert.equal(await read(whole, 9), 'a\nb\nc\n');
  assert.equal(await read(whole, 0), '');
  assert.equal(await read(logFile(t, 'a\nb\nlogin: '), 2), 'b\nlogin: ');
  assert.equal(await read(join(whole, '..', 'absent'), 2), '');
});

test('a followed log shows what comes, and ends with the machine', async (t) => {
  const path = logFile(t, 'a\n');
  let live = true;
  const stream = readLog(path, { follow: true, signal: never, isLive: async () => live });
  let shown = '';
  stream.on('data', (part: Buffer) => {
    shown += part.toString();
  });
  await eventually('the present part', () => shown === 'a\n');
  appendFileSync(path, 'b\n');
  await eventually('the new part', () => shown === 'a\nb\n');
  const closed = new Promise((resolve) => stream.once('close', resolve));
  live = false;
  await closed;
});

test('a followed log ends when it is aborted', async (t) => {
  const controller = new AbortController();
  const stream = readLog(logFile(t, 'a\n'), {
    follow: true,
    signal: controller.signal,
    isLive: async () => true,
  });
  stream.once('data', () => controller.abort());
  assert.equal(await text(stream), 'a\n');
});

test('a log that has grown too large keeps its end', async (t) => {
  const path = logFile(t, `${'x'.repeat(LOG_LIMIT)}the end`);
  await boundLog(path);
  assert.ok(statSync(path).size <= LOG_LIMIT / 2);
  assert.ok(readFileSync(path, 'utf8').endsWith('the end'));
  await boundLog(join(path, '..', 'absent'));
});
