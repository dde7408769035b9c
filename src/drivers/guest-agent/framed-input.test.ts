import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Duplex, PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { test } from 'node:test';
import { FramedInput, PIECE, pieces } from './framed-input.ts';

test('content goes in pieces that a terminal has room for, each behind its length', () => {
  assert.deepEqual(pieces(Buffer.from('hello')).map(String), ['5\nhello']);
  assert.deepEqual(pieces(Buffer.alloc(0)), []);
  const lengths = pieces(Buffer.alloc(PIECE + 1)).map(({ length }) => length);
  assert.deepEqual(lengths, [PIECE + 5, 3]);
  assert.ok(PIECE + 5 < 4096 - 128);
});

test('a piece waits until the one before was taken, and the shell of a guest takes them apart again', async () => {
  const sent: Buffer[] = [];
  const line = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      sent.push(chunk);
      done();
    },
  });
  const input = new FramedInput(line);
  const content = Buffer.from(Array.from({ length: 20_000 }, (_, index) => (index * 7) % 256));
  input.write(content.subarray(0, 1));
  input.write(content.subarray(1, 7_000));
  input.end(content.subarray(7_000));
  const ended = finished(input, { readable: false });
  for (let count = 1; count < 9; count++) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    assert.equal(sent.length, count);
    input.taken();
  }
  await ended;
  assert.equal(String(sent.at(-1)), '0\n');
  const script = 'while read -r n && [ "$n" -gt 0 ]; do head -c "$n" || break; done';
  const { stdout } = spawnSync('sh', ['-c', script], { input: Buffer.concat(sent) });
  assert.ok(stdout.equals(content));
});

test('a line that is lost ends the input', async () => {
  const line = new PassThrough();
  const input = new FramedInput(line);
  line.destroy();
  await finished(input).catch(() => undefined);
  assert.ok(input.destroyed);
});
