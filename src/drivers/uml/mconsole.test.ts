import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeAnswer, encodeCommand } from './mconsole.ts';

test('a command is 524 bytes: the mark, the version, the length, and the text', () => {
  const message = encodeCommand('version');
  assert.equal(message.length, 524);
  assert.deepEqual(
    [message.readUInt32LE(0), message.readUInt32LE(4), message.readInt32LE(8)],
    [0xcafebabe, 2, 7],
  );
  assert.equal(message.toString('latin1', 12, 20), 'version\0');
});

test('a command that is too long keeps its ending zero byte', () => {
  const message = encodeCommand('x'.repeat(1000));
  assert.equal(message.readInt32LE(8), 511);
  assert.equal(message.at(-1), 0);
});

function answer(refused: number, more: number, length: number, text: string): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(refused, 0);
  header.writeUInt32LE(more, 4);
  header.writeUInt32LE(length, 8);
  return Buffer.concat([header, Buffer.from(text)]);
}

test('an answer tells whether it is a refusal, whether more comes, and its text', () => {
  assert.deepEqual(decodeAnswer(answer(0, 0, 3, 'OK\0junk')), { refused: false, more: false, text: 'OK' });
  assert.deepEqual(decodeAnswer(answer(1, 1, 11, 'Not stopped')), {
    refused: true,
    more: true,
    text: 'Not stopped',
  });
});

test('an answer that lies about its length, or is none, does no harm', () => {
  assert.equal(decodeAnswer(answer(0, 0, 0xffff_ffff, 'short'))?.text, 'short');
  assert.equal(decodeAnswer(Buffer.from('tiny')), undefined);
  assert.equal(decodeAnswer(Buffer.alloc(0)), undefined);
});
