import { Transform, type TransformCallback } from 'node:stream';

/** Longest control message after its token; a longer one is data of a guest that plays games. */
const MESSAGE_LIMIT = 256;

/** Takes `TOKEN words\n` out of a byte stream wherever it stands; the rest passes as it is, without delay. */
export class ControlStream extends Transform {
  readonly #token: Buffer;
  readonly #onMessage: (words: string[]) => void;
  #held = Buffer.alloc(0);

  constructor(token: string, onMessage: (words: string[]) => void) {
    super();
    this.#token = Buffer.from(`${token} `);
    this.#onMessage = onMessage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    let rest = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    for (let at = rest.indexOf(this.#token); at !== -1; at = rest.indexOf(this.#token)) {
      if (at > 0) this.push(rest.subarray(0, at));
      rest = rest.subarray(at);
      const end = rest.indexOf(0x0a, this.#token.length);
      if (end === -1 && rest.length <= MESSAGE_LIMIT) break;
      if (end === -1 || end > MESSAGE_LIMIT) {
        this.push(rest.subarray(0, this.#token.length));
        rest = rest.subarray(this.#token.length);
        continue;
      }
      const message = rest.toString('latin1', this.#token.length, end).trim();
      rest = rest.subarray(end + 1);
      this.#onMessage(message.split(/\s+/));
    }
    const kept = this.#startsHere(rest);
    if (kept < rest.length) this.push(rest.subarray(0, rest.length - kept));
    this.#held = Buffer.from(rest.subarray(rest.length - kept));
    done();
  }

  override _flush(done: TransformCallback): void {
    if (this.#held.length > 0) this.push(this.#held);
    done();
  }

  /** How many bytes at the end may be the beginning of a message. */
  #startsHere(rest: Buffer): number {
    if (rest.subarray(0, this.#token.length).equals(this.#token)) return rest.length;
    for (let size = Math.min(rest.length, this.#token.length - 1); size > 0; size -= 1) {
      if (rest.subarray(rest.length - size).equals(this.#token.subarray(0, size))) return size;
    }
    return 0;
  }
}
