import type { Frame } from './runner-frames.ts';

/** Bytes that may come before a guest's greeting, which a former command left on the line. */
const NOISE_LIMIT = 1024 * 1024;

/** Waits for a guest's greeting on a line, and skips what comes before it. */
export class Greeting {
  readonly #words: string;
  #before = Buffer.alloc(0);
  #skipped = 0;

  constructor(token: string) {
    this.#words = `\n${token}\n`;
  }

  /** What follows the greeting; undefined as long as it has not come. @throws RangeError for noise without end */
  hear(chunk: Buffer): Buffer | undefined {
    const heard = Buffer.concat([this.#before, chunk]);
    const at = heard.indexOf(this.#words);
    if (at >= 0) return heard.subarray(at + this.#words.length);
    this.#skipped += chunk.length;
    if (this.#skipped > NOISE_LIMIT) throw new RangeError(`${this.#skipped} bytes without a greeting`);
    this.#before = Buffer.from(heard.subarray(Math.max(0, heard.length - this.#words.length)));
    return undefined;
  }
}

/** Frames of which a runner says one alone for a command. A guest that goes on with them would keep the daemon busy. */
const ONCE = new Set(['p', 'u', 'e', 'z']);

/** Knows what a runner may say after what it has said. */
export class RunnerConduct {
  readonly #said = new Set<string>();

  /** @throws RangeError for what no runner says */
  check({ kind, content }: Frame): void {
    if (kind === 'E') this.#once(`${kind}${content[0]}`);
    else if (ONCE.has(kind)) this.#once(kind);
    else if (kind === '1' || kind === '2') {
      if (this.#said.has(`E${kind}`)) throw new RangeError(`output ${kind} after its end`);
    } else if (kind !== 'c') throw new RangeError(`a frame of the kind ${JSON.stringify(kind)}`);
  }

  #once(what: string): void {
    if (this.#said.has(what)) throw new RangeError(`${what} for the second time`);
    this.#said.add(what);
  }
}
