import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFrame, encodeRequest, FrameSplitter } from './runner-frames.ts';

const word = fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0'));

test('frames come out whole and in order, however they are cut', () => {
  const frame = fc
    .tuple(fc.constantFrom(...'12Ecpuez'), fc.uint8Array({ maxLength: 300 }))
    .map(([kind, bytes]) => ({ kind, content: Buffer.from(bytes) }));
  fc.assert(
    fc.property(fc.array(frame), fc.integer({ min: 1, max: 50 }), (frames, size) => {
      const bytes = Buffer.concat(frames.map(({ kind, content }) => encodeFrame(kind, content)));
      const splitter = new FrameSplitter();
      const out = [];
      for (let at = 0; at < bytes.length; at += size)
        out.push(...splitter.push(bytes.subarray(at, at + size)));
      assert.deepEqual(out, frames);
    }),
  );
});

test('a frame longer than any is refused by its header alone', () => {
  assert.throws(() => new FrameSplitter().push(Buffer.from('1\xff\xff', 'latin1')), RangeError);
});

test('no word of a request becomes another one, and its variables come after those of the VPS', () => {
  fc.assert(
    fc.property(fc.array(word, { minLength: 1 }), word, word, (argv, value, cwd) => {
      const blob = encodeRequest(
        { argv: [...argv], env: { A: value }, cwd, user: 'web:www', tty: false },
        { A: 'vps', B: 'vps' },
      );
      assert.equal(blob.readUInt32BE(), blob.length - 4);
      const fields = blob.toString('utf8', 4).split('\0');
      assert.deepEqual(fields.slice(0, 5), ['web', 'www', cwd, '', '']);
      const count = Number(fields[5]);
      const variables = fields.slice(6, 6 + count);
      assert.deepEqual(variables.slice(-2), [`A=${value}`, 'B=vps']);
      assert.deepEqual(fields.slice(6 + count), argv);
    }),
  );
});

test('a terminal has a size when none was told', () => {
  const fields = encodeRequest({ argv: ['x'], env: {}, tty: true }, {})
    .toString('utf8', 4)
    .split('\0');
  assert.deepEqual(fields.slice(3, 5), ['24', '80']);
  assert.ok(fields.includes('TERM=xterm-256color'));
});
