import type { Json } from './store.ts';

/** Longest key, in bytes of UTF-8; the same for every store. */
const KEY_LIMIT = 1024;

/** @throws TypeError when a store cannot hold such a key: empty, too long, with NUL, or not well-formed Unicode. */
export function requireKey(key: string): string {
  if (key === '') throw new TypeError('a store key must not be empty');
  if (key.includes('\0')) throw new TypeError('a store key must not contain NUL');
  if (!key.isWellFormed()) throw new TypeError('a store key must be well-formed Unicode');
  if (Buffer.byteLength(key) > KEY_LIMIT) throw new TypeError(`a store key has at most ${KEY_LIMIT} bytes`);
  return key;
}

/** The order of keys: by the bytes of their UTF-8, as SQLite's BINARY collation and etcd have it. */
export const compareKeys = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** The first key after all that start with `prefix`; undefined when nothing comes after them. */
export function prefixEnd(prefix: string): string | undefined {
  const points = [...prefix];
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0) ?? 0;
    if (point === 0x10ffff) continue;
    // U+D800 to U+DFFF are surrogates, not characters.
    return points.join('') + String.fromCodePoint(point === 0xd7ff ? 0xe000 : point + 1);
  }
  return undefined;
}

/** @throws TypeError when the value is no JSON. */
export function encode(value: Json): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw new TypeError('a store value must be JSON');
  return text;
}

export function decode(text: string): Json {
  return JSON.parse(text);
}
