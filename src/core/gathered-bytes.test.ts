import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import fc from 'fast-check';
import { firstBytes, GatheredBytes } from './gathered-bytes.ts';

test('gathered bytes are those of the pieces in their order, and none is left once they are taken', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 3_000 })), (pieces) => {
      const gathered = new GatheredBytes();
      for (const round of [1, 2]) {
        for (const piece of pieces) gathered.append(piece);
        assert.ok(gathered.take().equals(Buffer.concat(pieces)), String(round));
        assert.equal(gathered.length, 0);
      }
    }),
  );
});

test('bytes that come one by one cost no more than others', () => {
  const gathered = new GatheredBytes();
  const before = process.memoryUsage().rss;
  const piece = Buffer.from('x');
  for (let count = 0; count < 2_000_000; count += 1) gathered.append(piece);
  assert.ok(process.memoryUsage().rss - before < 64 * 1024 ** 2);
  assert.equal(gathered.take().length, 2_000_000);
});

test('of a stream without end as many bytes are read as are asked for, and it is destroyed', async () => {
  let given = 0;
  const endless = new Readable({
    read() {
      given += 1_000;
      this.push(Buffer.alloc(1_000, 'x'));
    },
  });
  assert.equal((await firstBytes(endless, 2_500)).length, 2_500);
  assert.ok(endless.destroyed);
  assert.ok(given < 200_000, `${given} bytes`);
  assert.equal((await firstBytes(Readable.from([Buffer.from('short')]), 100)).toString(), 'short');
});
