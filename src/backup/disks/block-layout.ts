import { MullionError } from '../../contract/errors.ts';
import type { ByteRange } from '../../host/data-ranges.ts';
import type { SavedNode } from '../backup.ts';

/**
 * A disk as it is saved: a folder `NAME.blocks` of files named by their place on the disk, with what lies there, and an
 * empty file `size-SIZE` that has the disk's owner and mode.
 */
export interface DiskLayout {
  readonly name: string;
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** In order, parted by what is zero. */
  readonly blocks: readonly ByteRange[];
}

const MIB = 1024 ** 2;
/** Holes that are smaller are saved as what they read as. */
const SMALLEST_HOLE = MIB;
const LARGEST_BLOCK = 64 * MIB;
/** Blocks of file systems that can share them are no larger. */
const GRAIN = 64 * 1024;
/** ext4 holds no larger file. */
export const LARGEST_DISK = 16 * 1024 ** 4;
const DIGITS = 16;
const SUFFIX = '.blocks';
const DISK_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;
const BLOCK_NAME = /^[0-9]{16}$/;
const SIZE_NAME = /^size-([0-9]{16})$/;

const digits = (number: number): string => String(number).padStart(DIGITS, '0');
export const folderOf = (disk: string): string => disk + SUFFIX;
export const blockName = ({ start }: ByteRange): string => digits(start);
export const sizeName = (size: number): string => `size-${digits(size)}`;
/** A name that is kept for what disks are taken apart into. */
export const isTaken = (name: string): boolean => name.endsWith(SUFFIX);
export const canBeTakenApart = (name: string, size: number): boolean =>
  DISK_NAME.test(name) && size <= LARGEST_DISK;

/** The disk that a folder at the top of a saved folder stands for. */
export function diskOf({ name, type }: SavedNode): string | undefined {
  if (type !== 'directory' || !isTaken(name)) return undefined;
  const disk = name.slice(0, -SUFFIX.length);
  return DISK_NAME.test(disk) ? disk : undefined;
}

/** Blocks that hold all data of a disk, each within one stretch of `LARGEST_BLOCK`. */
export function blocksOf(data: readonly ByteRange[], size: number): ByteRange[] {
  const joined: ByteRange[] = [];
  for (const range of data) {
    const start = range.start - (range.start % GRAIN);
    const end = Math.min(Math.ceil(range.end / GRAIN) * GRAIN, size);
    const last = joined.at(-1);
    if (last !== undefined && start - last.end < SMALLEST_HOLE) joined.splice(-1, 1, { ...last, end });
    else joined.push({ start, end });
  }
  return joined.flatMap(split);
}

function split({ start, end }: ByteRange): ByteRange[] {
  const blocks: ByteRange[] = [];
  for (let from = start; from < end; ) {
    const to = Math.min(from - (from % LARGEST_BLOCK) + LARGEST_BLOCK, end);
    blocks.push({ start: from, end: to });
    from = to;
  }
  return blocks;
}

/** Reads what a repository says of a disk, which may be anything. @throws MullionError `backup_damaged` */
export function readLayout(name: string, nodes: readonly SavedNode[]): DiskLayout {
  const refuse = (why: string): MullionError =>
    new MullionError('backup_damaged', `The disk ${name} of the backup cannot be put together: ${why}.`, {
      remedy: 'Restore another one: mullion backup list',
    });
  const sizes = nodes.filter((node) => SIZE_NAME.test(node.name));
  const [about] = sizes;
  if (about === undefined || sizes.length > 1) throw refuse('its size is not known');
  const { mode, uid, gid } = about;
  const size = Number(SIZE_NAME.exec(about.name)?.[1]);
  if (about.type !== 'file' || about.size !== 0 || size > LARGEST_DISK) throw refuse('its size cannot be');
  if (![uid, gid].every((id) => id >= 0 && id < 2 ** 32 - 1)) throw refuse('its owner cannot be');
  const others = nodes.filter((node) => node !== about);
  if (others.some((node) => node.type !== 'file' || !BLOCK_NAME.test(node.name))) {
    throw refuse('it holds something that is no block');
  }
  const blocks = others
    .map((node) => ({ start: Number(node.name), end: Number(node.name) + node.size }))
    .sort((a, b) => a.start - b.start);
  let free = 0;
  for (const { start, end } of blocks) {
    if (!Number.isSafeInteger(end) || start < free || end <= start || end > size) {
      throw refuse('a block lies outside the disk or in another one');
    }
    free = end;
  }
  return { name, size, mode: mode & 0o777, uid, gid, blocks };
}
