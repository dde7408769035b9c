import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { RingGuest } from '../../../test/support/ring-guest.ts';
import { MullionError } from '../../contract/errors.ts';
import { ConsoleRing } from './console-ring.ts';

test('what goes in at one end of a ring comes out at the other, also where its counters wrap', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(0, 1000, 0xffff_ff00),
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 3000 }), { maxLength: 12 }),
      async (start, pieces) => {
        const guest = new RingGuest();
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
  const guest = new RingGuest();
  const ring = new ConsoleRing(guest.page);
  const isBroken = (failure: unknown): boolean =>
    failure instanceof MullionError && failure.code === 'guest_unresponsive';
  guest.page.writeUInt32LE(2049, 3084);
  assert.throws(() => ring.take(), isBroken);
  guest.page.writeUInt32LE(7, 3072);
  assert.throws(() => ring.give(Buffer.from('x')), isBroken);
});
