import { Writable } from 'node:stream';
import type { GuestLine } from './guest-line.ts';
import { encodeFrame } from './runner-frames.ts';
import { FRAME_HEADER } from './runner-script.ts';

/** What goes to a command, in frames, of which no more are on their way than the line has room for. */
export class LineInput extends Writable {
  readonly #line: GuestLine;
  #credit: number;
  #isOpen = false;
  #waiting: (() => void) | undefined;

  constructor(line: GuestLine) {
    super();
    this.#line = line;
    this.#credit = line.room.toGuest;
    this.on('error', () => undefined);
  }

  /** The guest listens now. */
  open(): void {
    this.#isOpen = true;
    this.#waiting?.();
  }

  /** The guest has read so many bytes of frames. @throws RangeError when it was not sent as many */
  read(count: number): void {
    if (count === 0 || this.#credit + count > this.#line.room.toGuest) throw new RangeError(`${count} bytes`);
    this.#credit += count;
    this.#waiting?.();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    if (chunk.length === 0) done();
    else this.#give(chunk, done);
  }

  override _final(done: () => void): void {
    this.#give(Buffer.alloc(0), done);
  }

  override _destroy(failure: Error | null, done: (failure: Error | null) => void): void {
    this.#waiting?.();
    done(failure);
  }

  #give(chunk: Buffer, done: () => void): void {
    this.#waiting = undefined;
    const { stream, room } = this.#line;
    if (stream.destroyed || this.destroyed) {
      done();
    } else if (!this.#isOpen || this.#credit <= FRAME_HEADER) {
      this.#waiting = () => this.#give(chunk, done);
    } else {
      const piece = chunk.subarray(0, Math.min(room.piece, this.#credit - FRAME_HEADER));
      const rest = chunk.subarray(piece.length);
      this.#credit -= FRAME_HEADER + piece.length;
      stream.write(encodeFrame('i', piece), () => (rest.length === 0 ? done() : this.#give(rest, done)));
    }
  }
}
