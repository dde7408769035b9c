import { Duplex } from 'node:stream';

const PIECE = 64 * 1024;

/**
 * Gives a line that cannot end an end: what is written goes in pieces, each behind its length in decimal on a line of its
 * own, and a length of 0 is the end. `exec-script.ts` takes them apart in the guest.
 */
export class FramedInput extends Duplex {
  readonly #line: Duplex;

  constructor(line: Duplex) {
    super({ allowHalfOpen: true });
    this.#line = line;
    line.on('data', (chunk) => {
      if (!this.push(chunk)) line.pause();
    });
    line.on('error', (failure) => this.destroy(failure));
    line.on('close', () => this.destroy());
  }

  override _read(): void {
    this.#line.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#line.write(frame(chunk), done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (failure?: Error | null) => void): void {
    this.#line.write(frame(Buffer.concat(chunks.map(({ chunk }) => chunk))), done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    this.#line.write('0\n', done);
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    this.#line.destroy();
    done(failure);
  }
}

/** In pieces of a bounded size, as the guest copies each with one program. */
export function frame(content: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += PIECE) {
    const piece = content.subarray(at, at + PIECE);
    parts.push(Buffer.from(`${piece.length}\n`), piece);
  }
  return Buffer.concat(parts);
}
