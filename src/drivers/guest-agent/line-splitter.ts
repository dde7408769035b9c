/** Thrown when a peer sends a line that is longer than allowed. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

/** Splits a byte stream from an untrusted peer into lines; holds at most `limit` bytes of an unfinished one. */
export class LineSplitter {
  readonly #limit: number;
  #pieces: Buffer[] = [];
  #held = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The lines that `chunk` completes, without their end. @throws LineTooLong */
  push(chunk: Buffer): Buffer[] {
    const lines: Buffer[] = [];
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end !== -1; end = chunk.indexOf(0x0a, start)) {
      this.#hold(chunk.subarray(start, end));
      lines.push(Buffer.concat(this.#pieces));
      this.#pieces = [];
      this.#held = 0;
      start = end + 1;
    }
    this.#hold(chunk.subarray(start));
    return lines;
  }

  #hold(piece: Buffer): void {
    if (piece.length === 0) return;
    this.#held += piece.length;
    if (this.#held > this.#limit) throw new LineTooLong(`a line of more than ${this.#limit} bytes`);
    this.#pieces.push(piece);
  }
}
