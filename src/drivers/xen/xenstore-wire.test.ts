import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeMessage, MessageSplitter, OPERATION, splitWords, words } from './xenstore-wire.ts';

test('messages of the store are cut out of a stream, however it is cut', () => {
  const stream = Buffer.concat([
    encodeMessage(OPERATION.read, 1, Buffer.from('value')),
    encodeMessage(OPERATION.watchEvent, 0, words('@releaseDomain', 'token')),
    encodeMessage(OPERATION.write, 2, Buffer.alloc(0)),
  ]);
  for (const size of [1, 7, 16, stream.length]) {
    const splitter = new MessageSplitter();
    const found = [];
    for (let at = 0; at < stream.length; at += size)
      found.push(...splitter.push(stream.subarray(at, at + size)));
    assert.deepEqual(
      found.map(({ type, request }) => [type, request]),
      [
        [OPERATION.read, 1],
        [OPERATION.watchEvent, 0],
        [OPERATION.write, 2],
      ],
    );
    assert.equal(found[0]?.payload.toString(), 'value');
    assert.deepEqual(splitWords(found[1]?.payload ?? Buffer.alloc(0)), ['@releaseDomain', 'token']);
  }
});

test('a message that is longer than the store sends is refused', () => {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(5000, 12);
  assert.throws(() => new MessageSplitter().push(header));
});
