import { watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { LogDecoder, lastLines } from './console-log.ts';

const PIECE = 64 * 1024;
/** How long at most until a change that the kernel did not tell, or the writer's end, is seen. */
const PAUSE_MS = 250;

export interface TailOptions {
  readonly follow: boolean;
  /** Byte of the log to begin at, as `endOfLog` gave it; its beginning when absent. */
  readonly from?: number | undefined;
  /** Without `from`: only the last so many lines of what is there. */
  readonly lines?: number | undefined;
  readonly signal: AbortSignal;
  /** False once nothing more will be written. */
  readonly isLive: () => boolean;
}

/** Where the next line of the log will begin. */
export const endOfLog = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  );

/** What the console showed, and what it shows until its writer ends or `signal` aborts; plain bytes. */
export async function* tailLog(path: string, options: TailOptions): AsyncGenerator<Buffer> {
  const { follow, from, lines, signal, isLive } = options;
  await using log = new LogFile(path, from ?? 0);
  if (lines !== undefined && from === undefined) {
    const present: Buffer[] = [];
    for (let piece = await log.read(); piece !== undefined; piece = await log.read()) present.push(piece);
    yield lastLines(Buffer.concat(present), lines);
  }
  using change = new ChangeWatch(path);
  while (!signal.aborted) {
    // Asked before reading: what was written before the writer's end is then not missed.
    const live = follow && isLive();
    const changed = change.next(signal);
    for (let piece = await log.read(); piece !== undefined && !signal.aborted; piece = await log.read()) {
      if (piece.length > 0) yield piece;
    }
    if (!live) return;
    await changed;
  }
}

/** A log that its writer replaces by a new file when it has become too long. */
class LogFile implements AsyncDisposable {
  readonly #path: string;
  readonly #buffer = Buffer.alloc(PIECE);
  #decoder = new LogDecoder();
  #file: FileHandle | undefined;
  #inode = 0;
  #position: number;

  constructor(path: string, position: number) {
    this.#path = path;
    this.#position = position;
  }

  /** The next piece, decoded and perhaps empty; undefined when there is nothing more now. */
  async read(): Promise<Buffer | undefined> {
    if (!(await this.#open()) || this.#file === undefined) return undefined;
    const { bytesRead } = await this.#file.read(this.#buffer, 0, PIECE, this.#position);
    if (bytesRead > 0) {
      this.#position += bytesRead;
      return this.#decoder.push(this.#buffer.subarray(0, bytesRead));
    }
    const now = await stat(this.#path).catch(() => undefined);
    if (now === undefined || (now.ino === this.#inode && now.size >= this.#position)) return undefined;
    await this.#close();
    this.#position = 0;
    return Buffer.alloc(0);
  }

  async #open(): Promise<boolean> {
    if (this.#file !== undefined) return true;
    try {
      this.#file = await open(this.#path, 'r');
    } catch {
      return false;
    }
    this.#inode = (await this.#file.stat()).ino;
    this.#decoder = new LogDecoder();
    return true;
  }

  async #close(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#close();
  }
}

/** Tells of writes to a file, and of another that takes its name. */
class ChangeWatch implements Disposable {
  #wake: (() => void) | undefined;
  readonly #watcher: { close(): void } | undefined;

  constructor(path: string) {
    try {
      const watcher = watch(dirname(path), { persistent: false }, () => this.#wake?.());
      watcher.on('error', () => undefined);
      this.#watcher = watcher;
    } catch {
      // Without it a change is seen at the next pause.
    }
  }

  /** Settles at the next change from now on, after a pause, or when `signal` aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#wake = undefined;
        resolve();
      };
      const timer = setTimeout(done, PAUSE_MS);
      signal.addEventListener('abort', done, { once: true });
      this.#wake = done;
    });
  }

  [Symbol.dispose](): void {
    this.#wake?.();
    this.#watcher?.close();
  }
}
