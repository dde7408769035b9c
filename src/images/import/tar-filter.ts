import { refused } from './refused.ts';
import { BLOCK, isZero, parseHeader, parsePax, type TarHeader } from './tar-header.ts';

/** A member of an archive, whichever of the formats says so. */
export interface TarEntry {
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'device' | 'other';
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes in the archive. */
  readonly stored: number;
  /** Bytes of the file, holes included. */
  readonly size: number;
  readonly attributes: readonly string[];
  /** What a device node stands for. */
  readonly device: { readonly type: 'block' | 'character'; readonly major: number; readonly minor: number };
}

/** What becomes of a member. Refusing is by throwing. */
export type Judge = (entry: TarEntry) => 'keep' | 'drop';

const KINDS: Readonly<Record<string, TarEntry['kind']>> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'device',
  '4': 'device',
  '5': 'directory',
  '6': 'fifo',
};
/** Names and pax records longer than this are nobody's honest ones. */
const META_LIMIT = 1024 ** 2;
const XATTR = 'SCHILY.xattr.';

/**
 * Reads an archive that comes in pieces, has each member judged before a byte of it goes on, and hands on what is kept,
 * byte for byte. Ends after the archive's end mark; what follows it is read and left out.
 * @throws MullionError `image_refused`; what `judge` throws
 */
export async function* filterTar(
  source: AsyncIterable<Buffer>,
  judge: Judge,
  { mayBeEmpty = false }: { readonly mayBeEmpty?: boolean } = {},
): AsyncGenerator<Buffer> {
  const blocks = new BlockReader(source);
  try {
    yield* membersOf(blocks, judge, mayBeEmpty);
  } finally {
    await blocks.close();
  }
}

async function* membersOf(blocks: BlockReader, judge: Judge, mayBeEmpty: boolean): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let global = new Map<string, Buffer>();
  let own = new Map<string, Buffer>();
  let longName: Buffer | undefined;
  let longLink: Buffer | undefined;
  let any = false;
  for (;;) {
    const block = await blocks.next();
    if (block === undefined) throw refused('truncated', 'The archive breaks off before its end mark.');
    if (isZero(block)) break;
    const header = parseHeader(block);
    any = true;
    held.push(block);
    if ('xgLK'.includes(header.type)) {
      if (header.size > META_LIMIT) throw refused('damaged', 'A header of the archive is longer than 1 MiB.');
      const { raw, content } = await blocks.content(header.size);
      held.push(raw);
      if (header.type === 'x') own = parsePax(content);
      else if (header.type === 'g') global = new Map([...global, ...parsePax(content)]);
      else if (header.type === 'L') longName = untilNul(content);
      else longLink = untilNul(content);
      continue;
    }
    for (let more = header.extended; more; ) {
      const extension = await blocks.next();
      if (extension === undefined) throw refused('truncated', 'The archive breaks off inside a header.');
      held.push(extension);
      more = extension[504] === 1;
    }
    const entry = entryOf(header, new Map([...global, ...own]), longName, longLink);
    const keep = judge(entry) === 'keep';
    if (keep) yield* held;
    held = [];
    own = new Map();
    longName = undefined;
    longLink = undefined;
    for await (const piece of blocks.data(entry.stored)) if (keep) yield piece;
  }
  if (!any && !mayBeEmpty) throw refused('format', 'The archive is empty.');
  yield Buffer.alloc(2 * BLOCK);
  await blocks.drain();
}

function entryOf(
  header: TarHeader,
  pax: ReadonlyMap<string, Buffer>,
  longName: Buffer | undefined,
  longLink: Buffer | undefined,
): TarEntry {
  const number = (key: string): number | undefined => {
    const text = pax.get(key)?.toString('latin1');
    if (text === undefined) return undefined;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw refused('damaged', 'The archive is damaged: a number of an extended header is none.');
  };
  const kind = KINDS[header.type] ?? 'other';
  // The size of a hard link is that of its target, whose content it does not repeat (POSIX.1-1988, "size").
  const claimed = number('size') ?? header.size;
  const stored = kind === 'file' || kind === 'other' ? claimed : 0;
  if (stored !== claimed && kind !== 'hardlink') {
    throw refused('damaged', 'The archive is damaged: what is no file has content.');
  }
  const name = pax.get('GNU.sparse.name') ?? pax.get('path') ?? longName ?? header.name;
  return {
    name,
    linkName: pax.get('linkpath') ?? longLink ?? header.linkName,
    // Old archives mark a directory by its name's end alone.
    kind: kind === 'file' && name.at(-1) === 0x2f ? 'directory' : kind,
    mode: header.mode & 0o7777,
    uid: number('uid') ?? header.uid,
    gid: number('gid') ?? header.gid,
    stored,
    size: number('GNU.sparse.realsize') ?? number('GNU.sparse.size') ?? header.realSize ?? stored,
    device: { type: header.type === '4' ? 'block' : 'character', ...header.device },
    attributes: [...pax.keys()].filter((key) => key.startsWith(XATTR)).map((key) => key.slice(XATTR.length)),
  };
}

function untilNul(content: Buffer): Buffer {
  const end = content.indexOf(0);
  return end < 0 ? content : content.subarray(0, end);
}

/** Blocks of 512 bytes out of pieces of any size. */
class BlockReader {
  readonly #source: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Undefined at the end of the source, and for a last part of a block. */
  async next(): Promise<Buffer | undefined> {
    while (this.#rest.length < BLOCK) {
      const { done, value } = await this.#source.next();
      if (done === true) return undefined;
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    }
    const block = this.#rest.subarray(0, BLOCK);
    this.#rest = this.#rest.subarray(BLOCK);
    return block;
  }

  /** `size` bytes with what fills their last block. */
  async *data(size: number): AsyncGenerator<Buffer> {
    for (let left = Math.ceil(size / BLOCK) * BLOCK; left > 0; ) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#source.next();
        if (done === true) throw refused('truncated', 'The archive breaks off inside a file.');
        this.#rest = value;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      if (piece.length > 0) yield piece;
    }
  }

  async content(size: number): Promise<{ readonly raw: Buffer; readonly content: Buffer }> {
    const pieces: Buffer[] = [];
    for await (const piece of this.data(size)) pieces.push(piece);
    const raw = Buffer.concat(pieces);
    return { raw, content: raw.subarray(0, size) };
  }

  /** Ends the source, whatever of it is left. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async drain(): Promise<void> {
    while ((await this.#source.next()).done !== true);
  }
}
