import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { drainFifo, fifoStream } from '../../host/fifo.ts';

/** The two pipes behind a serial line. */
export interface LinePipes {
  readonly input: string;
  readonly output: string;
}

/** The host's end of a serial line. Without a writer on its input, the guest sees the line hung up. */
export class LineStream extends Duplex {
  readonly #reader: Socket;
  readonly #writer: Socket;

  private constructor(reader: Socket, writer: Socket) {
    super({ allowHalfOpen: true });
    this.#reader = reader;
    this.#writer = writer;
    reader.on('data', (chunk: Buffer) => {
      if (!this.push(chunk)) reader.pause();
    });
    reader.on('close', () => this.destroy());
    for (const end of [reader, writer]) end.on('error', (failure) => this.destroy(failure));
  }

  /** What an earlier user left unread is thrown away. @throws SystemError ENXIO when the machine has ended */
  static open({ input, output }: LinePipes): LineStream {
    drainFifo(input);
    const writer = fifoStream(input, 'write');
    try {
      drainFifo(output);
      return new LineStream(fifoStream(output, 'read'), writer);
    } catch (failure) {
      writer.destroy();
      throw failure;
    }
  }

  /** Takes back what the guest has not read of its input; the bytes. None of a machine that is gone. */
  static takeBack({ input }: LinePipes): number {
    try {
      return drainFifo(input);
    } catch {
      return 0;
    }
  }

  override _read(): void {
    this.#reader.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (failure?: Error | null) => void): void {
    this.#writer.write(chunk, done);
  }

  override _destroy(failure: Error | null, done: (failure?: Error | null) => void): void {
    this.#reader.destroy();
    this.#writer.destroy();
    done(failure);
  }
}
