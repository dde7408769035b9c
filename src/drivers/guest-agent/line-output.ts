import { Readable } from 'node:stream';
import { GatheredBytes } from '../../core/gathered-bytes.ts';
import { FRAME_HEADER } from './runner-script.ts';

/** What comes from a command. The guest may send as much more as was read. */
export class LineOutput {
  readonly stream: Readable;
  readonly #room: number;
  readonly #onRead: (count: number) => void;
  readonly #held = new GatheredBytes();
  #unread = 0;
  #isFull = false;
  #ended = false;

  /**
   * @param room bytes of frames that a guest may send before they are read
   * @param onRead is told how many were read, or thrown away
   */
  constructor(room: number, onRead: (count: number) => void) {
    this.#room = room;
    this.#onRead = onRead;
    this.stream = new Readable({ read: () => this.#goOn() });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Bytes that its reader has not taken. */
  get waiting(): number {
    return this.#held.length + this.stream.readableLength;
  }

  /** One frame; `flush` follows those that came together. @throws RangeError when the guest sends more than it may */
  push(content: Buffer): void {
    if (content.length === 0) throw new RangeError('a frame of output without output');
    this.#unread += FRAME_HEADER + content.length;
    if (this.#unread > this.#room) throw new RangeError(`${this.#unread} bytes are not read yet`);
    this.#held.append(content);
  }

  flush(): void {
    if (this.#ended || this.stream.destroyed) this.#held.take();
    else if (this.#isFull) return;
    else if (this.#held.length > 0) this.#isFull = !this.stream.push(this.#held.take());
    if (!this.#isFull) this.#tell();
  }

  /** Safe to call twice. */
  end(): void {
    if (this.#ended) return;
    if (!this.stream.destroyed) {
      if (this.#held.length > 0) this.stream.push(this.#held.take());
      this.stream.push(null);
    }
    this.#ended = true;
  }

  #goOn(): void {
    this.#isFull = false;
    this.flush();
  }

  #tell(): void {
    if (this.#unread > 0) this.#onRead(this.#unread);
    this.#unread = 0;
  }
}
