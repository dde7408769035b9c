import { GatheredBytes } from '../../core/gathered-bytes.ts';

/** Thrown when a peer sends a line that is longer than allowed. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

/** Splits a byte stream from an untrusted peer into lines; holds at most `limit` bytes of an unfinished one. */
export class LineSplitter {
  readonly #limit: number;
  readonly #unfinished = new GatheredBytes();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `chunk` completes, without their end, each when it is asked for. @throws LineTooLong */
  *push(chunk: Buffer): Generator<Buffer, void> {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      this.#hold(chunk.subarray(start, end));
      yield this.#unfinished.take();
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return;
    if (this.#unfinished.length + piece.length > this.#limit) {
      throw new LineTooLong(`a line of more than ${this.#limit} bytes`);
    }
    this.#unfinished.append(piece);
  }
}
