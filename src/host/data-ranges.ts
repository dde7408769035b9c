import { fstatSync } from 'node:fs';
import { constants } from 'node:os';
import { checked, ioctlElsewhere, libc } from './syscalls/libc.ts';
import { SystemError } from './system-error.ts';

/** Bytes of a file from `start` up to `end`. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** lseek(2). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
/** linux/fs.h: _IOW(0x94, 13, struct file_clone_range). */
const FICLONERANGE = 0x4020_940d;
const NANOSECONDS = 1_000_000_000n;

/** What a file holds besides holes, in order. @throws SystemError */
export async function dataRanges(fd: number, signal: AbortSignal): Promise<ByteRange[]> {
  const { size } = fstatSync(fd);
  const ranges: ByteRange[] = [];
  for (let place = 0; place < size; ) {
    signal.throwIfAborted();
    const start = await seek(fd, place, SEEK_DATA);
    if (start === undefined || start >= size) break;
    const end = Math.min((await seek(fd, start, SEEK_HOLE)) ?? size, size);
    ranges.push({ start, end });
    place = end;
  }
  return ranges;
}

/** Undefined when there is no more (ENXIO). */
async function seek(fd: number, offset: number, whence: number): Promise<number | undefined> {
  const place = await libc().lseekElsewhere(fd, offset, whence);
  if (place >= 0) return place;
  if (-place === constants.errno.ENXIO) return undefined;
  throw new SystemError('lseek', -place);
}

/**
 * Makes `to` share bytes of `from`, so that none is copied (ioctl_ficlonerange(2)). Both begin and end at whole blocks
 * of the file system, or at the end of the file. @throws SystemError; EOPNOTSUPP, EINVAL, EXDEV, ENOTTY where they cannot
 */
export async function cloneRange(
  from: number,
  { start, end }: ByteRange,
  to: number,
  place: number,
): Promise<void> {
  const memory = Buffer.alloc(32);
  memory.writeBigInt64LE(BigInt(from), 0);
  memory.writeBigUInt64LE(BigInt(start), 8);
  memory.writeBigUInt64LE(BigInt(end - start), 16);
  memory.writeBigUInt64LE(BigInt(place), 24);
  await ioctlElsewhere(to, 'FICLONERANGE', FICLONERANGE, memory);
}

/** Sets both times of a file, in nanoseconds since 1970 (futimens(3)): exactly, which numbers of Node are not. */
export function setTimes(fd: number, time: bigint): void {
  const memory = Buffer.alloc(32);
  for (const offset of [0, 16]) {
    memory.writeBigInt64LE(time / NANOSECONDS, offset);
    memory.writeBigInt64LE(time % NANOSECONDS, offset + 8);
  }
  checked('futimens', libc().futimens(fd, memory));
}
