import { Duplex } from 'node:stream';

/**
 * A piece and its header fit into a terminal's buffer (Linux, drivers/tty/n_tty.c: 4096 bytes, of which the last 128 stop
 * the line). User-Mode Linux does not hear again from a line that was stopped (arch/um/drivers/line.c, line_throttle:
 * the interrupt of its descriptor is taken away and never comes back).
 */
export const PIECE = 3840;

/**
 * Gives a line that cannot end an end, and never more than the guest has room for: what is written goes in pieces, each
 * behind its length in decimal on a line of its own, the next one when the guest has taken the last; a length of 0 is the
 * end. `exec-script.ts` takes them apart in the guest.
 */
export class FramedInput extends Duplex {
  readonly #line: Duplex;
  #next: (() => void) | undefined;

  constructor(line: Duplex) {
    super({ allowHalfOpen: true });
    this.#line = line;
    line.on('data', (chunk) => {
      if (!this.push(chunk)) line.pause();
    });
    line.on('error', (failure) => this.destroy(failure));
    line.on('close', () => this.destroy());
  }

  /** The guest has taken the last piece. */
  taken(): void {
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  override _read(): void {
    this.#line.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#send(pieces(chunk), done);
  }

  override _final(done: (failure?: Error | null) => void): void {
    this.#line.write('0\n', done);
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    this.#line.destroy();
    this.taken();
    done(failure);
  }

  #send([piece, ...rest]: readonly Buffer[], done: (failure?: Error | null) => void): void {
    if (piece === undefined || this.destroyed) {
      done();
      return;
    }
    this.#next = () => this.#send(rest, done);
    this.#line.write(piece);
  }
}

/** Each with its header. */
export function pieces(content: Buffer): Buffer[] {
  const result: Buffer[] = [];
  for (let at = 0; at < content.length; at += PIECE) {
    const piece = content.subarray(at, at + PIECE);
    result.push(Buffer.concat([Buffer.from(`${piece.length}\n`), piece]));
  }
  return result;
}
