import { refused } from './refused.ts';

export const BLOCK = 512;

/** One block of a header (POSIX.1-1988 ustar, and GNU tar's and star's extensions of it). */
export interface TarHeader {
  readonly name: Buffer;
  readonly linkName: Buffer;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly type: string;
  /** Blocks of GNU's old sparse format that follow. */
  readonly extended: boolean;
  readonly realSize: number | undefined;
  /** Of a device node; a field that is no number is 0, as some archives leave it empty. */
  readonly device: { readonly major: number; readonly minor: number };
}

export const isZero = (block: Buffer): boolean => block.every((byte) => byte === 0);

/** @throws MullionError `image_refused` when the sum is wrong or a number is none */
export function parseHeader(block: Buffer): TarHeader {
  const stored = number(block, 148, 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < BLOCK; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  if (stored !== sum) throw refused('damaged', 'The archive is damaged: the sum of a header is wrong.');
  const name = text(block, 0, 100);
  const isUstar = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isUstar ? text(block, 345, 155) : Buffer.alloc(0);
  const type = String.fromCharCode(block[156] ?? 0);
  return {
    name: prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]),
    linkName: text(block, 157, 100),
    mode: number(block, 100, 8),
    uid: number(block, 108, 8),
    gid: number(block, 116, 8),
    size: number(block, 124, 12),
    type: type === '\0' ? '0' : type,
    extended: type === 'S' && block[482] === 1,
    realSize: type === 'S' ? number(block, 483, 12) : undefined,
    device:
      isUstar || block.toString('latin1', 257, 262) === 'ustar'
        ? { major: octal(block, 329), minor: octal(block, 337) }
        : { major: 0, minor: 0 },
  };
}

const octal = (block: Buffer, at: number): number =>
  Number.parseInt(block.toString('latin1', at, at + 7), 8) || 0;

function text(block: Buffer, at: number, length: number): Buffer {
  const field = block.subarray(at, at + length);
  const end = field.indexOf(0);
  return end < 0 ? field : field.subarray(0, end);
}

/** Octal digits, or with the first bit set a number of base 256. */
function number(block: Buffer, at: number, length: number): number {
  const field = block.subarray(at, at + length);
  const first = field[0] ?? 0;
  let value = 0;
  if ((first & 0x80) !== 0) {
    // A negative one has all bits set.
    value = first === 0xff ? Number.NaN : first & 0x7f;
    for (const byte of field.subarray(1)) value = value * 256 + byte;
  } else {
    const digits = field
      .toString('latin1')
      .replace(/^[ \0]+/, '')
      .replace(/[ \0][\s\S]*$/, '');
    value = digits === '' ? 0 : /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  }
  if (Number.isSafeInteger(value)) return value;
  throw refused('damaged', 'The archive is damaged: a number in a header is none.');
}

/** `length key=value\n`, again and again (POSIX.1-2001 pax, "Extended Header"). */
export function parsePax(data: Buffer): Map<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < data.length; ) {
    const space = data.indexOf(0x20, at);
    const digits = space < 0 ? '' : data.toString('latin1', at, space);
    const length = /^\d{1,9}$/.test(digits) ? Number(digits) : 0;
    const record = data.subarray(space + 1, at + length);
    const equals = record.indexOf(0x3d);
    if (length < 5 || at + length > data.length || equals <= 0 || record.at(-1) !== 0x0a) {
      throw refused('damaged', 'The archive is damaged: an extended header cannot be read.');
    }
    records.set(record.toString('utf8', 0, equals), record.subarray(equals + 1, -1));
    at += length;
  }
  return records;
}
