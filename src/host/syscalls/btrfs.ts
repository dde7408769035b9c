import { ioctl, ioctlElsewhere } from './libc.ts';

/** ioctls of btrfs (linux/btrfs.h), each on a descriptor inside the file system. All throw SystemError. */
const WRITE = 1;
const READ = 2;
const request = (direction: number, number: number, size: number): number =>
  ((direction << 30) | (size << 16) | (0x94 << 8) | number) >>> 0;

const SNAP_CREATE_V2 = request(WRITE, 23, 4096);
const SUBVOL_CREATE_V2 = request(WRITE, 24, 4096);
const SNAP_DESTROY_V2 = request(WRITE, 63, 4096);
const SUBVOL_GETFLAGS = request(READ, 25, 8);
const SUBVOL_SETFLAGS = request(WRITE, 26, 8);
const INO_LOOKUP = request(READ | WRITE, 18, 4096);
const TREE_SEARCH_V2 = request(READ | WRITE, 17, 112);
const FS_INFO = request(READ, 31, 1024);
const QUOTA_CTL = request(READ | WRITE, 40, 16);
const SYNC = request(0, 8, 0);
const QGROUP_ASSIGN = request(WRITE, 41, 24);
const QGROUP_CREATE = request(WRITE, 42, 16);
const QGROUP_LIMIT = request(READ, 43, 48);
const GET_SUBVOL_INFO = request(READ, 60, 504);

const SUBVOL_RDONLY = 1n << 1n;
const SUBVOL_SPEC_BY_ID = 1n << 4n;
/** Inode number of every subvolume's top folder. */
export const FIRST_FREE_OBJECTID = 256n;
const ROOT_TREE = 1n;
const ROOT_REF_KEY = 156;
const QUOTA_TREE = 8n;
const QGROUP_RELATION_KEY = 246;
const QUOTA_CTL_ENABLE_SIMPLE = 4n;
const QGROUP_LIMIT_MAX_RFER = 1n;
const NO_LIMIT = 2n ** 64n - 1n;

/** struct btrfs_ioctl_vol_args_v2: fd, transid, flags, 32 bytes, then a name or a subvolume's id. */
function volumeArguments(name: string | bigint, fd = 0, flags = 0n): Buffer {
  const memory = Buffer.alloc(4096);
  memory.writeBigInt64LE(BigInt(fd), 0);
  memory.writeBigUInt64LE(flags, 16);
  if (typeof name === 'bigint') memory.writeBigUInt64LE(name, 56);
  else memory.write(name, 56, 255, 'utf8');
  return memory;
}

export const createSubvolumeAt = (parentFd: number, name: string): number =>
  ioctl(parentFd, `BTRFS_IOC_SUBVOL_CREATE ${name}`, SUBVOL_CREATE_V2, volumeArguments(name));

/** Waits until the source's data is on the disk. */
export const snapshotAt = (
  parentFd: number,
  name: string,
  sourceFd: number,
  readOnly: boolean,
): Promise<void> =>
  ioctlElsewhere(
    parentFd,
    `BTRFS_IOC_SNAP_CREATE ${name}`,
    SNAP_CREATE_V2,
    volumeArguments(name, sourceFd, readOnly ? SUBVOL_RDONLY : 0n),
  );

/** Waits until all that was written to the file system is on the disk. */
export const syncFileSystem = (fd: number): Promise<void> => ioctlElsewhere(fd, 'BTRFS_IOC_SYNC', SYNC, null);

/** `fd` is any folder of the file system. Linux 5.7. */
export const destroySubvolumeById = (fd: number, id: bigint): number =>
  ioctl(fd, `BTRFS_IOC_SNAP_DESTROY ${id}`, SNAP_DESTROY_V2, volumeArguments(id, 0, SUBVOL_SPEC_BY_ID));

export function subvolumeIsReadOnly(fd: number): boolean {
  const flags = Buffer.alloc(8);
  ioctl(fd, 'BTRFS_IOC_SUBVOL_GETFLAGS', SUBVOL_GETFLAGS, flags);
  return (flags.readBigUInt64LE() & SUBVOL_RDONLY) !== 0n;
}

export function writeSubvolumeReadOnly(fd: number, readOnly: boolean): void {
  const flags = Buffer.alloc(8);
  flags.writeBigUInt64LE(readOnly ? SUBVOL_RDONLY : 0n);
  ioctl(fd, 'BTRFS_IOC_SUBVOL_SETFLAGS', SUBVOL_SETFLAGS, flags);
}

/** Id of the subvolume that the open folder lies in. */
export function subvolumeId(fd: number): bigint {
  const memory = Buffer.alloc(4096);
  memory.writeBigUInt64LE(FIRST_FREE_OBJECTID, 8);
  ioctl(fd, 'BTRFS_IOC_INO_LOOKUP', INO_LOOKUP, memory);
  return memory.readBigUInt64LE(0);
}

/** Ids of the subvolumes whose entry lies right in subvolume `id`. */
export function childSubvolumes(fd: number, id: bigint): bigint[] {
  const children: bigint[] = [];
  for (let from = 0n; ; ) {
    const found = searchTree(fd, ROOT_TREE, ROOT_REF_KEY, id, from);
    children.push(...found);
    const last = found.at(-1);
    if (last === undefined) return children;
    from = last + 1n;
  }
}

const SEARCH_HEADER = 112;
const ITEM_HEADER = 32;
const PAGE = 65_536;
const LAST = 2n ** 64n - 1n;

interface TreeKey {
  readonly id: bigint;
  readonly type: number;
  readonly offset: bigint;
}
interface TreeItem extends TreeKey {
  readonly content: Buffer;
}

/** struct btrfs_ioctl_search_key, the buffer's size, and room for one page of headers and items; tree 0 is the descriptor's own. */
function searchArguments(tree: bigint, from: TreeKey, to: TreeKey, page: number, since = 0n): Buffer {
  const memory = Buffer.alloc(SEARCH_HEADER + page);
  for (const [index, value] of [tree, from.id, to.id, from.offset, to.offset, since, LAST].entries()) {
    memory.writeBigUInt64LE(value, index * 8);
  }
  memory.writeUInt32LE(from.type, 56);
  memory.writeUInt32LE(to.type, 60);
  memory.writeUInt32LE(2 ** 32 - 1, 64);
  memory.writeBigUInt64LE(BigInt(page), 104);
  return memory;
}

function* itemsIn(memory: Buffer): Generator<TreeItem> {
  let offset = SEARCH_HEADER;
  for (let left = memory.readUInt32LE(64); left > 0; left -= 1) {
    const end = offset + ITEM_HEADER + memory.readUInt32LE(offset + 28);
    yield {
      id: memory.readBigUInt64LE(offset + 8),
      offset: memory.readBigUInt64LE(offset + 16),
      type: memory.readUInt32LE(offset + 24),
      content: memory.subarray(offset + ITEM_HEADER, end),
    };
    offset = end;
  }
}

/** Offsets of one object's keys, one page of them. */
function searchTree(fd: number, tree: bigint, type: number, id: bigint, from: bigint): bigint[] {
  const memory = searchArguments(tree, { id, type, offset: from }, { id, type, offset: LAST }, PAGE);
  ioctl(fd, 'BTRFS_IOC_TREE_SEARCH', TREE_SEARCH_V2, memory);
  return [...itemsIn(memory)].flatMap((item) => (item.id === id && item.type === type ? [item.offset] : []));
}

/** More than any file system will ever number, and less than what btrfs numbers for itself. */
const INODES = 2n ** 48n;

/** Of the descriptor's subvolume; each question finds whether there is any at or above a number. */
export function highestInode(fd: number): bigint {
  let [known, unknown] = [FIRST_FREE_OBJECTID, INODES];
  while (unknown - known > 1n) {
    const middle = (known + unknown) / 2n;
    const from = { id: middle, type: 0, offset: 0n };
    const memory = searchArguments(0n, from, { id: INODES, type: 255, offset: LAST }, PAGE);
    ioctl(fd, 'BTRFS_IOC_TREE_SEARCH', TREE_SEARCH_V2, memory);
    if (memory.readUInt32LE(64) > 0) known = middle;
    else unknown = middle;
  }
  return known;
}

/** Data on the disk of which a file holds a part at least; it is freed as a whole. */
export interface Extent {
  /** Unique in the file system while it is there. */
  readonly place: number;
  readonly size: number;
  /** Number of the transaction in which it was written. */
  readonly generation: bigint;
}

/** Extents of the files of the descriptor's subvolume, written in this transaction or later; one may come several times. */
export async function* extentsOf(fd: number, since: bigint): AsyncGenerator<Extent> {
  const to = { id: LAST, type: 255, offset: LAST };
  for (let from: TreeKey = { id: 0n, type: 0, offset: 0n }; ; ) {
    const memory = searchArguments(0n, from, to, EXTENT_PAGE, since);
    await ioctlElsewhere(fd, 'BTRFS_IOC_TREE_SEARCH', TREE_SEARCH_V2, memory);
    let last: TreeKey | undefined;
    for (const item of itemsIn(memory)) {
      last = item;
      const extent = item.type === EXTENT_DATA_KEY ? readExtent(item.content) : undefined;
      if (extent !== undefined && extent.generation >= since) yield extent;
    }
    if (last === undefined || last.offset === LAST) return;
    from = { ...last, offset: last.offset + 1n };
  }
}
const EXTENT_PAGE = 2 ** 20;
const EXTENT_DATA_KEY = 108;
const INLINE = 0;

/** struct btrfs_file_extent_item; undefined for a hole, and for what lies in the tree itself. */
function readExtent(content: Buffer): Extent | undefined {
  if (content.readUInt8(20) === INLINE) return undefined;
  const place = Number(content.readBigUInt64LE(21));
  const size = Number(content.readBigUInt64LE(29));
  return place === 0 ? undefined : { place, size, generation: content.readBigUInt64LE(0) };
}

/** The transaction in which the descriptor's subvolume was made, and whether as a copy of another. */
export function subvolumeBirth(fd: number): { readonly transaction: bigint; readonly isCopy: boolean } {
  const memory = Buffer.alloc(504);
  ioctl(fd, 'BTRFS_IOC_GET_SUBVOL_INFO', GET_SUBVOL_INFO, memory);
  return {
    transaction: memory.readBigUInt64LE(352),
    isCopy: memory.subarray(312, 328).some((byte) => byte !== 0),
  };
}

const LEVEL_BITS = 48n;
/** A quota group above those of subvolumes; its number is a subvolume's id that is never given again. */
export const groupAbove = (id: bigint): bigint => (1n << LEVEL_BITS) | id;

/** The group above a subvolume's own; undefined when there is none. Only with quota. */
export const groupOf = (fd: number, id: bigint): bigint | undefined =>
  searchTree(fd, QUOTA_TREE, QGROUP_RELATION_KEY, id, 0n).find((other) => other >> LEVEL_BITS > 0n);

export function createGroup(fd: number, group: bigint): void {
  ioctl(fd, 'BTRFS_IOC_QGROUP_CREATE', QGROUP_CREATE, groupArguments(1n, group));
}

/** EBUSY while anything is counted in it. */
export function destroyGroup(fd: number, group: bigint): void {
  ioctl(fd, 'BTRFS_IOC_QGROUP_CREATE', QGROUP_CREATE, groupArguments(0n, group));
}

/** What the subvolume is charged for, the group is charged for too. */
export function assignToGroup(fd: number, id: bigint, group: bigint): void {
  ioctl(fd, 'BTRFS_IOC_QGROUP_ASSIGN', QGROUP_ASSIGN, groupArguments(1n, id, group));
}

function groupArguments(...values: bigint[]): Buffer {
  const memory = Buffer.alloc(values.length * 8);
  for (const [index, value] of values.entries()) memory.writeBigUInt64LE(value, index * 8);
  return memory;
}

/** As /sys/fs/btrfs names it. */
export function fileSystemUuid(fd: number): string {
  const memory = Buffer.alloc(1024);
  ioctl(fd, 'BTRFS_IOC_FS_INFO', FS_INFO, memory);
  return memory.toString('hex', 16, 32).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Linux 6.7; EINVAL before. Sets an incompatible feature of the file system. */
export function enableSimpleQuota(fd: number): void {
  const memory = Buffer.alloc(16);
  memory.writeBigUInt64LE(QUOTA_CTL_ENABLE_SIMPLE, 0);
  ioctl(fd, 'BTRFS_IOC_QUOTA_CTL', QUOTA_CTL, memory);
}

/** Most bytes that the subvolume, or the group, may be charged; no limit when undefined. */
export function limitQgroup(fd: number, id: bigint, bytes: number | undefined): void {
  const memory = Buffer.alloc(48);
  memory.writeBigUInt64LE(id, 0);
  memory.writeBigUInt64LE(QGROUP_LIMIT_MAX_RFER, 8);
  memory.writeBigUInt64LE(bytes === undefined ? NO_LIMIT : BigInt(bytes), 16);
  ioctl(fd, 'BTRFS_IOC_QGROUP_LIMIT', QGROUP_LIMIT, memory);
}
