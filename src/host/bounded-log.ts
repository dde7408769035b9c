import { closeSync, existsSync, fchmodSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hasCode } from './system-error.ts';

export interface BoundedLogOptions {
  readonly path: string;
  /** A file that has become larger is put aside as `path.1`, and so on. */
  readonly fileBytes: number;
  /** Files that are kept, the current one included. */
  readonly files: number;
}

/** A log of lines in files that only root reads, which never grow beyond a bound. A line longer than 16 KiB is cut. */
export class BoundedLog {
  static readonly LINE_BYTES = 16_384;
  readonly #options: BoundedLogOptions;
  #fd: number | undefined;
  #size = 0;

  constructor(options: BoundedLogOptions) {
    this.#options = options;
  }

  /** The line is the kernel's when this returns: it outlives the end of the process. */
  append(line: string): void {
    const whole = Buffer.from(line.replaceAll('\n', ' '));
    const bytes = Buffer.concat([whole.subarray(0, BoundedLog.LINE_BYTES), Buffer.from('\n')]);
    this.#open();
    if (this.#size + bytes.length > this.#options.fileBytes) this.#rotate();
    const fd = this.#open();
    this.#size += writeSync(fd, bytes);
  }

  /** The last lines of all files, oldest first. */
  async tail(lines: number): Promise<string[]> {
    const found: string[] = [];
    for (let number = 0; number < this.#options.files && found.length < lines; number += 1) {
      const text = await readFile(this.#name(number), 'utf8').catch((failure: unknown) => {
        if (hasCode(failure, 'ENOENT')) return '';
        throw failure;
      });
      found.unshift(...text.split('\n').filter((line) => line !== ''));
    }
    return found.slice(-lines);
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
    this.#size = 0;
  }

  #open(): number {
    if (this.#fd !== undefined) return this.#fd;
    const fd = openSync(this.#options.path, 'a', 0o600);
    fchmodSync(fd, 0o600);
    this.#size = fstatSync(fd).size;
    this.#fd = fd;
    return fd;
  }

  #rotate(): void {
    if (this.#size === 0) return;
    this.close();
    for (let number = this.#options.files - 1; number > 0; number -= 1) {
      if (existsSync(this.#name(number - 1))) renameSync(this.#name(number - 1), this.#name(number));
    }
  }

  #name(number: number): string {
    return number === 0 ? this.#options.path : `${this.#options.path}.${number}`;
  }
}
