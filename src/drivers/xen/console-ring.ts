import { MullionError } from '../../contract/errors.ts';

/** struct xencons_interface (Xen, public/io/console.h): two rings and their counters, which never wrap at the rings' sizes. */
const TO_GUEST = { offset: 0, size: 1024, consumer: 3072, producer: 3076 } as const;
const FROM_GUEST = { offset: 1024, size: 2048, consumer: 3080, producer: 3084 } as const;

export const FROM_GUEST_SIZE = FROM_GUEST.size;

/** The page that a guest's console shares with domain 0. The guest may write anything into it at any time. */
export class ConsoleRing {
  readonly #page: Buffer;

  constructor(page: Buffer) {
    this.#page = page;
  }

  /** Takes all that the guest has written. @throws MullionError `guest_unresponsive` when its counters make no sense */
  take(): Buffer {
    const { offset, size, consumer, producer } = FROM_GUEST;
    const from = this.#page.readUInt32LE(consumer);
    const count = (this.#page.readUInt32LE(producer) - from) >>> 0;
    if (count > size) throw new MullionError('guest_unresponsive', 'The guest broke its channel.');
    const taken = Buffer.alloc(count);
    for (let at = 0; at < count; ) {
      const start = (from + at) % size;
      const end = Math.min(size, start + count - at);
      at += this.#page.copy(taken, at, offset + start, offset + end);
    }
    this.#page.writeUInt32LE((from + count) >>> 0, consumer);
    return taken;
  }

  /** Puts in as much as there is room for; how many bytes that was. @throws MullionError as `take` */
  give(bytes: Buffer): number {
    const { offset, size, consumer, producer } = TO_GUEST;
    const to = this.#page.readUInt32LE(producer);
    const used = (to - this.#page.readUInt32LE(consumer)) >>> 0;
    if (used > size) throw new MullionError('guest_unresponsive', 'The guest broke its channel.');
    const count = Math.min(bytes.length, size - used);
    for (let at = 0; at < count; ) {
      const start = (to + at) % size;
      at += bytes.copy(this.#page, offset + start, at, Math.min(count, at + size - start));
    }
    this.#page.writeUInt32LE((to + count) >>> 0, producer);
    return count;
  }
}
