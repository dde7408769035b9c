import { MullionError } from '../contract/error-table.ts';

/** The beginning of an answer (RFC 9112 section 2.1); header names in lower case. */
export interface ResponseHead {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
}

/** Longest head accepted, in bytes. */
const HEAD_LIMIT = 64 * 1024;
/** Longest line that gives a chunk's size. */
const SIZE_LINE_LIMIT = 256;

/** Takes bytes from a source in the portions that a message has. */
export class ByteReader {
  readonly #source: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** The bytes up to `mark`, which is taken too. @throws MullionError when it ends or grows too long before */
  async until(mark: string, limit: number): Promise<string> {
    for (;;) {
      const at = this.#held.indexOf(mark);
      if (at >= 0) {
        const found = this.#held.toString('latin1', 0, at);
        this.#held = this.#held.subarray(at + mark.length);
        return found;
      }
      if (this.#held.length > limit) throw malformed('a part of it is too long');
      const more = await this.#read();
      if (more === undefined) throw brokenOff();
      this.#held = this.#held.length === 0 ? more : Buffer.concat([this.#held, more]);
    }
  }

  /** The next bytes, at most `most`; undefined at the end of the source. */
  async some(most = Number.POSITIVE_INFINITY): Promise<Buffer | undefined> {
    const piece = this.#held.length > 0 ? this.#held : await this.#read();
    if (piece === undefined) return undefined;
    this.#held = piece.length > most ? piece.subarray(most) : Buffer.alloc(0);
    return piece.length > most ? piece.subarray(0, most) : piece;
  }

  async #read(): Promise<Buffer | undefined> {
    const { done, value } = await this.#source.next();
    return done === true ? undefined : value;
  }
}

export async function readHead(reader: ByteReader): Promise<ResponseHead> {
  const [start = '', ...lines] = (await reader.until('\r\n\r\n', HEAD_LIMIT)).split('\r\n');
  const status = /^HTTP\/1\.[01] ([1-5]\d\d)(?: |$)/.exec(start)?.[1];
  if (status === undefined) throw malformed('it does not begin as HTTP does');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(status), headers: new Map(headers) };
}

/** The body in pieces as they come (RFC 9112 section 6). @throws MullionError when it breaks off */
export async function* readBody(reader: ByteReader, head: ResponseHead): AsyncGenerator<Buffer> {
  if (head.status === 204 || head.status === 304) return;
  if (/\bchunked\b/i.test(head.headers.get('transfer-encoding') ?? '')) {
    yield* readChunks(reader);
    return;
  }
  const length = head.headers.get('content-length');
  if (length !== undefined) {
    if (!/^\d{1,15}$/.test(length)) throw malformed('its length is no number');
    yield* readExactly(reader, Number(length));
    return;
  }
  for (let piece = await reader.some(); piece !== undefined; piece = await reader.some()) yield piece;
}

async function* readChunks(reader: ByteReader): AsyncGenerator<Buffer> {
  for (;;) {
    const size = /^([0-9a-f]{1,8})(?:[ \t]*;.*)?$/i.exec(await reader.until('\r\n', SIZE_LINE_LIMIT))?.[1];
    if (size === undefined) throw malformed('the size of a chunk is no number');
    const length = Number.parseInt(size, 16);
    if (length === 0) {
      while ((await reader.until('\r\n', HEAD_LIMIT)) !== '');
      return;
    }
    yield* readExactly(reader, length);
    if ((await reader.until('\r\n', SIZE_LINE_LIMIT)) !== '')
      throw malformed('a chunk is longer than it says');
  }
}

async function* readExactly(reader: ByteReader, length: number): AsyncGenerator<Buffer> {
  for (let left = length; left > 0; ) {
    const piece = await reader.some(left);
    if (piece === undefined) throw brokenOff();
    left -= piece.length;
    yield piece;
  }
}

const malformed = (why: string): MullionError =>
  new MullionError('internal', `The daemon's answer cannot be read: ${why}.`, {
    remedy: 'Check that it is Mullion that answers there: mullion daemon status',
  });
const brokenOff = (): MullionError =>
  new MullionError('daemon_unreachable', 'The daemon went away before the end of its answer.');
