import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { MullionError } from '../../contract/errors.ts';
import { ConsoleRing } from './console-ring.ts';

/** The guest's side of the page, byte by byte (Xen, public/io/console.h). */
class Guest {
  readonly page = Buffer.alloc(4096);

  write(bytes: Buffer): number {
    let written = 0;
    for (const byte of bytes) {
      const producer = this.page.readUInt32LE(3084);
      if ((producer - this.page.readUInt32LE(3080)) >>> 0 >= 2048) break;
      this.page[1024 + (producer % 2048)] = byte;
      this.page.writeUInt32LE((producer + 1) >>> 0, 3084);
      written += 1;
    }
    return written;
  }

  read(): Buffer {
    const bytes: number[] = [];
    for (;;) {
      const consumer = this.page.readUInt32LE(3072);
      if (consumer === this.page.readUInt32LE(3076)) return Buffer.from(bytes);
      bytes.push(this.page[consumer % 1024] ?? 0);
      this.page.writeUInt32LE((consumer + 1) >>> 0, 3072);
    }
  }
}

test('what goes in at one end of a ring comes out at the other, also where its counters wrap', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1000, 0xffff_ff00),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 12 }),
      async (start, pieces) => {
        const guest = new Guest();
        for (const counter of [3072, 3076, 3080, 3084]) guest.page.writeUInt32LE(start, counter);
        const ring = new ConsoleRing(guest.page);
        for (const piece of pieces.map((bytes) => Buffer.from(bytes))) {
          const written = guest.write(piece);
          assert.equal(written, Math.min(2048, piece.length));
          assert.ok(ring.take().equals(piece.subarray(0, written)));
          const given = ring.give(piece);
          assert.equal(given, Math.min(1024, piece.length));
          assert.equal(ring.give(piece.subarray(given)), 0);
          assert.ok(guest.read().equals(piece.subarray(0, given)));
        }
      },
    ),
  );
});

test('counters that make no sense end the conversation', () => {
  const guest = new Guest();
  const ring = new ConsoleRing(guest.page);
  const isBroken = (failure: unknown): boolean =>
    failure instanceof MullionError && failure.code === 'guest_unresponsive';
  guest.page.writeUInt32LE(2049, 3084);
  assert.throws(() => ring.take(), isBroken);
  guest.page.writeUInt32LE(7, 3072);
  assert.throws(() => ring.give(Buffer.from('x')), isBroken);
});
