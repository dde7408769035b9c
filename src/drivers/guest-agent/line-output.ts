import { Readable } from 'node:stream';
import { FRAME_HEADER } from './runner-script.ts';

/** What comes from a command. The guest may send as much more as was read. */
export class LineOutput {
  readonly stream: Readable;
  readonly #onRead: (count: number) => void;
  #unread = 0;
  #ended = false;

  /** @param onRead is told how many bytes of frames were read, or thrown away */
  constructor(onRead: (count: number) => void) {
    this.#onRead = onRead;
    this.stream = new Readable({ read: () => this.#tell() });
  }

  get ended(): boolean {
    return this.#ended;
  }

  push(content: Buffer): void {
    this.#unread += FRAME_HEADER + content.length;
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
