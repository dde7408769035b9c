import { Duplex } from 'node:stream';
import type { GuestPort } from './guest-exec.ts';
import { INPUT_PIECE, INPUT_WINDOW, RELAY } from './relay-script.ts';

const HEADER = 3;
const GREETING_MS = 30_000;
const GOODBYE_MS = 3_000;

/** The streams of one exec over one serial line; the host's side of `RELAY`. */
export class RelayPort {
  readonly #line: Duplex;
  readonly #token: string;
  readonly #device: string;
  readonly #base: string;
  readonly #streams: Duplex[];
  readonly #goodbye = Promise.withResolvers<void>();
  #received: Buffer = Buffer.alloc(0);
  #greeted = false;
  #credit = INPUT_WINDOW;
  #waiting: (() => void) | undefined;
  #timer: NodeJS.Timeout;

  /** @param count of streams: input, output, and errors if they are apart */
  constructor(line: Duplex, device: string, token: string, count: number) {
    this.#line = line;
    this.#device = device;
    this.#token = token;
    this.#base = `/run/mullion-${token.slice(0, 16)}`;
    this.#streams = Array.from({ length: count }, (_, index) =>
      index === 0 ? this.#input() : this.#output(),
    );
    this.#timer = setTimeout(() => line.destroy(), GREETING_MS);
    line.on('data', (chunk: Buffer) => this.#hear(chunk));
    line.on('error', () => undefined);
    line.on('close', () => this.#close());
  }

  /** What the guest is to run instead of the command; the command follows. */
  get launcher(): readonly [string, ...string[]] {
    const count = String(this.#streams.length);
    return ['/usr/bin/perl', '-e', RELAY, '--', this.#device, this.#token, this.#base, count];
  }

  get ports(): GuestPort[] {
    return this.#streams.map((stream, index) => ({ guestPath: `${this.#base}-${index}`, stream }));
  }

  /** Ends the guest's side, and waits until it has let the line go, or does not answer. */
  async release(): Promise<void> {
    if (this.#greeted && !this.#line.destroyed) {
      this.#send('q', Buffer.alloc(0));
      const timer = setTimeout(() => this.#goodbye.resolve(), GOODBYE_MS);
      await this.#goodbye.promise.finally(() => clearTimeout(timer));
    }
    this.#line.destroy();
  }

  #hear(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    if (!this.#greeted && !this.#greet()) return;
    while (this.#received.length >= HEADER) {
      const kind = String.fromCharCode(this.#received[0] ?? 0);
      const length = this.#received.readUInt16BE(1);
      if (kind === 'c') {
        this.#received = this.#received.subarray(HEADER);
        this.#credit += length;
        this.#waiting?.();
        continue;
      }
      if (kind === 'z') {
        this.#goodbye.resolve();
        this.#received = this.#received.subarray(HEADER);
        continue;
      }
      const stream = this.#streams[Number(kind)];
      if (kind === '0' || stream === undefined) {
        this.#line.destroy();
        return;
      }
      if (this.#received.length < HEADER + length) return;
      const content = Buffer.from(this.#received.subarray(HEADER, HEADER + length));
      this.#received = this.#received.subarray(HEADER + length);
      this.#pass(stream, content);
    }
  }

  /** Skips what former conversations left on the line. */
  #greet(): boolean {
    const greeting = `\n${this.#token}\n`;
    const at = this.#received.indexOf(greeting);
    if (at < 0) {
      this.#received = this.#received.subarray(Math.max(0, this.#received.length - greeting.length));
      return false;
    }
    clearTimeout(this.#timer);
    this.#received = this.#received.subarray(at + greeting.length);
    this.#greeted = true;
    this.#line.write(`${this.#token}\n`);
    this.#waiting?.();
    return true;
  }

  /** The guest may send more once this is read. */
  #pass(stream: Duplex, content: Buffer): void {
    const acknowledge = (): void => this.#acknowledge(content.length + HEADER);
    if (stream.destroyed || stream.push(content)) acknowledge();
    else stream.once('wanted', acknowledge);
  }

  #acknowledge(count: number): void {
    if (this.#line.destroyed) return;
    const header = Buffer.from('a\0\0', 'latin1');
    header.writeUInt16BE(count, 1);
    this.#line.write(header);
  }

  #send(kind: string, content: Buffer, done?: () => void): void {
    const header = Buffer.from(`${kind}\0\0`, 'latin1');
    header.writeUInt16BE(content.length, 1);
    this.#line.write(Buffer.concat([header, content]), () => done?.());
  }

  #output(): Duplex {
    const stream: Duplex = new Duplex({
      read: () => {
        stream.emit('wanted');
      },
      write: (_chunk, _encoding, done) => done(),
    });
    return stream;
  }

  #input(): Duplex {
    const give = (chunk: Buffer, done: () => void): void => {
      const go = (): void => {
        if (this.#line.destroyed) {
          done();
          return;
        }
        if (!this.#greeted || this.#credit <= 0) {
          this.#waiting = go;
          return;
        }
        this.#waiting = undefined;
        const piece = chunk.subarray(0, Math.min(INPUT_PIECE, this.#credit));
        this.#credit -= piece.length;
        const rest = chunk.subarray(piece.length);
        this.#send('i', piece, () => (rest.length === 0 ? done() : give(rest, done)));
      };
      go();
    };
    const end = (done: () => void): void => {
      if (this.#greeted || this.#line.destroyed) this.#send('i', Buffer.alloc(0), done);
      else this.#waiting = () => end(done);
    };
    return new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => (chunk.length === 0 ? done() : give(chunk, done)),
      final: (done) => end(done),
    });
  }

  #close(): void {
    clearTimeout(this.#timer);
    this.#goodbye.resolve();
    this.#received = Buffer.alloc(0);
    for (const stream of this.#streams) stream.destroy();
    this.#waiting?.();
  }
}

/** A partial frame of a dead conversation is filled up, and its relay told to end. */
export const SWEEP = Buffer.from('q'.repeat(INPUT_PIECE + HEADER), 'latin1');
