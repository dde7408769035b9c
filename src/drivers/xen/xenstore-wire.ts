/** Messages of Xen's store (Xen, public/io/xs_wire.h): a header of four 32-bit numbers, then the payload. */
export const OPERATION = {
  directory: 1,
  read: 2,
  watch: 4,
  unwatch: 5,
  write: 11,
  remove: 13,
  setPermissions: 14,
  watchEvent: 15,
  error: 16,
} as const;

const HEADER = 16;
const PAYLOAD_LIMIT = 4096;

export interface StoreMessage {
  readonly type: number;
  readonly request: number;
  readonly payload: Buffer;
}

export function encodeMessage(type: number, request: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32LE(type, 0);
  header.writeUInt32LE(request, 4);
  header.writeUInt32LE(payload.length, 12);
  return Buffer.concat([header, payload]);
}

/** Each word is ended by a zero byte. */
export const words = (...values: readonly string[]): Buffer =>
  Buffer.from(values.map((value) => `${value}\0`).join(''));

export const splitWords = (payload: Buffer): string[] => payload.toString('utf8').split('\0').slice(0, -1);

/** Cuts a stream into messages. */
export class MessageSplitter {
  #rest: Buffer = Buffer.alloc(0);

  /** @throws Error when a payload is longer than the store may send */
  push(chunk: Buffer): StoreMessage[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    const messages: StoreMessage[] = [];
    while (this.#rest.length >= HEADER) {
      const length = this.#rest.readUInt32LE(12);
      if (length > PAYLOAD_LIMIT) throw new Error('the store sent a message that is too long');
      if (this.#rest.length < HEADER + length) break;
      messages.push({
        type: this.#rest.readUInt32LE(0),
        request: this.#rest.readUInt32LE(4),
        payload: Buffer.from(this.#rest.subarray(HEADER, HEADER + length)),
      });
      this.#rest = this.#rest.subarray(HEADER + length);
    }
    return messages;
  }
}
