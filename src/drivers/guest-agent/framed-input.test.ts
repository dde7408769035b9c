import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { Duplex, PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import { test } from 'node:test';
import { FramedInput, frame } from './framed-input.ts';

test('content goes in pieces of 64 KiB at most, each behind its length', () => {
  assert.equal(frame(Buffer.from('hello')).toString(), '5\nhello');
  assert.equal(frame(Buffer.alloc(0)).length, 0);
  const framed = frame(Buffer.alloc(65_537));
  assert.equal(framed.toString('latin1', 0, 6), '65536\n');
  assert.equal(framed.toString('latin1', 6 + 65_536), `1\n\0`);
});

test('the end is a length of nothing, and the shell of a guest takes the pieces apart again', async () => {
  const pieces: Buffer[] = [];
  const line = new Duplex({
    read: () => undefined,
    write: (chunk: Buffer, _encoding, done) => {
      pieces.push(chunk);
      done();
    },
  });
  const input = new FramedInput(line);
  const content = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 256));
  input.write(content.subarray(0, 1));
  input.write(content.subarray(1, 70_000));
  input.end(content.subarray(70_000));
  await finished(input, { readable: false });
  const sent = Buffer.concat(pieces);
  assert.equal(sent.toString('latin1', sent.length - 2), '0\n');
  const script = 'while read -r n && [ "$n" -gt 0 ]; do head -c "$n" || break; done';
  const { stdout } = spawnSync('sh', ['-c', script], { input: sent });
  assert.ok(stdout.equals(content));
});

test('a line that is lost ends the input', async () => {
  const line = new PassThrough();
  const input = new FramedInput(line);
  line.destroy();
  await finished(input).catch(() => undefined);
  assert.ok(input.destroyed);
});
