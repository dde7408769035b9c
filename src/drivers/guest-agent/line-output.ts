import { Readable } from 'node:stream';
import { FRAME_HEADER } from './runner-script.ts';

/** What comes from a command. The guest may send as much more as was read. */
export class LineOutput {
  readonly stream: Readable;
  readonly #room: number;
  readonly #onRead: (count: number) => void;
  #unread = 0;
  #ended = false;

  /**
   * @param room bytes of frames that a guest may send before they are read
   * @param onRead is told how many were read, or thrown away
   */
  constructor(room: number, onRead: (count: number) => void) {
    this.#room = room;
    this.#onRead = onRead;
    this.stream = new Readable({ read: () => this.#tell() });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** @throws RangeError when the guest sends more than it may */
  push(content: Buffer): void {
    this.#unread += FRAME_HEADER + content.length;
    if (this.#unread > this.#room) throw new RangeError(`${this.#unread} bytes are not read yet`);
    if (this.#ended || this.stream.destroyed || this.stream.push(content)) this.#tell();
  }

  /** Safe to call twice. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.stream.destroyed) this.stream.push(null);
  }

  #tell(): void {
    if (this.#unread > 0) this.#onRead(this.#unread);
    this.#unread = 0;
  }
}
