import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { MullionError } from '../../contract/errors.ts';
import { refused } from './refused.ts';

export interface SpoolOptions {
  /** Most bytes that are taken. */
  readonly limit: number;
  readonly signal: AbortSignal;
  readonly onBytes: (done: number) => void;
}

/** Writes a stream to a new file as it comes; its size and SHA-256. @throws MullionError `image_refused`, `cancelled` */
export async function spool(
  source: AsyncIterable<Buffer>,
  path: string,
  { limit, signal, onBytes }: SpoolOptions,
): Promise<{ readonly size: number; readonly sha256: string }> {
  const hash = createHash('sha256');
  const file = await open(path, 'wx', 0o600);
  let size = 0;
  try {
    for await (const piece of source) {
      if (signal.aborted) throw new MullionError('cancelled', 'The import was cancelled.');
      size += piece.length;
      if (size > limit) throw refused('too_large', `The image is larger than ${limit} bytes.`);
      hash.update(piece);
      await file.write(piece);
      onBytes(size);
    }
  } finally {
    await file.close();
  }
  return { size, sha256: hash.digest('hex') };
}

const HOLE = 64 * 1024;

/** As `spool`, without a sum; parts that are all zero become holes. */
export async function spoolSparse(
  source: AsyncIterable<Buffer>,
  path: string,
  { limit, signal, onBytes }: SpoolOptions,
): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  const zeros = Buffer.alloc(HOLE);
  let size = 0;
  try {
    for await (const whole of source) {
      for (let at = 0; at < whole.length; at += HOLE) {
        if (signal.aborted) throw new MullionError('cancelled', 'The import was cancelled.');
        const piece = whole.subarray(at, at + HOLE);
        if (size + piece.length > limit)
          throw refused('too_large', `The disk is larger than ${limit} bytes.`);
        if (!piece.equals(zeros.subarray(0, piece.length))) await file.write(piece, 0, piece.length, size);
        size += piece.length;
      }
      onBytes(size);
    }
    await file.truncate(size);
  } finally {
    await file.close();
  }
  return size;
}
