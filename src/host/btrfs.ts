import { closeSync, constants, lstatSync, openSync, readdirSync, readFileSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import * as calls from './syscalls/btrfs.ts';
import { exchangeNames } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

/** statfs(2), f_type. */
const BTRFS_MAGIC = 0x9123683e;

export const isBtrfs = (path: string): boolean => statfsSync(path).type === BTRFS_MAGIC;

/** Whether the path itself is the top folder of a subvolume. */
export function isSubvolume(path: string): boolean {
  try {
    const { ino } = lstatSync(path, { bigint: true });
    return ino === calls.FIRST_FREE_OBJECTID && isBtrfs(path);
  } catch (failure) {
    if (hasCode(failure, 'ENOENT')) return false;
    throw failure;
  }
}

const openFolder = (path: string): number =>
  openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);

function withFolder<T>(path: string, use: (fd: number) => T): T {
  const fd = openFolder(path);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}

/** @throws SystemError EEXIST, ENOSPC */
export function createSubvolume(path: string): void {
  withFolder(dirname(path), (parent) => calls.createSubvolumeAt(parent, basename(path)));
}

/**
 * A writable or read-only copy that shares all data, without the subvolumes inside; on the disk when it answers.
 * @throws SystemError EEXIST, ENOSPC
 */
export async function snapshotSubvolume(source: string, target: string, readOnly: boolean): Promise<void> {
  const from = openFolder(source);
  const parent = openFolder(dirname(target));
  try {
    await calls.snapshotAt(parent, basename(target), from, readOnly);
  } finally {
    closeSync(from);
    closeSync(parent);
  }
}

/** Removes the subvolume and all subvolumes inside it; its space comes back in the background. @throws SystemError */
export function destroySubvolume(path: string): void {
  withFolder(path, (fd) => {
    if (calls.subvolumeIsReadOnly(fd)) calls.writeSubvolumeReadOnly(fd, false);
  });
  const id = withFolder(path, calls.subvolumeId);
  withFolder(dirname(path), (parent) => destroyTree(parent, id));
}

function destroyTree(fd: number, id: bigint): void {
  for (const child of calls.childSubvolumes(fd, id)) destroyTree(fd, child);
  calls.destroySubvolumeById(fd, id);
}

/** Swaps the names of two subvolumes, in one step. @throws SystemError */
export const exchangeSubvolumes = (one: string, other: string): number => exchangeNames(one, other);

/** @throws SystemError */
export const setSubvolumeReadOnly = (path: string, readOnly: boolean): void =>
  withFolder(path, (fd) => calls.writeSubvolumeReadOnly(fd, readOnly));

export type QuotaMode = 'off' | 'simple' | 'full';

/** How the file system counts, from /sys/fs/btrfs (Linux 6.7 tells the mode; before that there is only `full`). */
export function quotaMode(path: string): QuotaMode {
  const directory = qgroupDirectory(path);
  if (readOrEmpty(join(directory, 'enabled')) !== '1') return 'off';
  return readOrEmpty(join(directory, 'mode')) === 'squota' ? 'simple' : 'full';
}

/** Switches simple quota on; false where this kernel has none. It stays on for good. @throws SystemError */
export function enableSimpleQuota(path: string): boolean {
  try {
    withFolder(path, calls.enableSimpleQuota);
    return true;
  } catch (failure) {
    if (hasCode(failure, 'EINVAL', 'EOPNOTSUPP', 'ENOTTY')) return false;
    throw failure;
  }
}

/**
 * Writes beyond it fail with EDQUOT. Of a subvolume in a succession, all of that is limited. Asked by the parent folder, as a
 * subvolume at its limit has no room for the change itself. @throws SystemError
 */
export function limitSubvolume(path: string, bytes: number | undefined): void {
  const id = withFolder(path, calls.subvolumeId);
  withFolder(dirname(path), (parent) => calls.limitQgroup(parent, calls.groupOf(parent, id) ?? id, bytes));
}

/**
 * Counts both as one from now on: what `earlier` wrote and is still kept somewhere, and what `later`, which takes its
 * place, will write. The limit stays. @throws SystemError
 */
export function succeedSubvolume(earlier: string, later: string): void {
  const id = withFolder(earlier, calls.subvolumeId);
  const successor = withFolder(later, calls.subvolumeId);
  withFolder(dirname(earlier), (parent) => {
    const known = calls.groupOf(parent, id);
    if (known !== undefined) return calls.assignToGroup(parent, successor, known);
    const group = calls.groupAbove(id);
    const { limit } = subvolumeUsage(earlier);
    try {
      calls.createGroup(parent, group);
    } catch (failure) {
      if (!hasCode(failure, 'EEXIST')) throw failure;
    }
    calls.limitQgroup(parent, group, limit);
    calls.assignToGroup(parent, successor, group);
    calls.assignToGroup(parent, id, group);
    calls.limitQgroup(parent, id, undefined);
  });
}

/** Forgets successions of which no data is left. */
export const pruneSuccessions = (path: string): void =>
  withFolder(path, (fd) => {
    for (const name of readdirSync(qgroupDirectory(path))) {
      const id = /^1_(\d+)$/.exec(name)?.[1];
      if (id === undefined || readOrEmpty(join(qgroupDirectory(path), name, 'referenced')) !== '0') continue;
      try {
        calls.destroyGroup(fd, calls.groupAbove(BigInt(id)));
      } catch (failure) {
        if (!hasCode(failure, 'EBUSY')) throw failure;
      }
    }
  });

export interface SubvolumeUsage {
  /** Bytes charged, those on their way to the disk included. */
  readonly used: number;
  readonly limit: number | undefined;
}

/** What the kernel counts at this moment; only with quota. */
export function subvolumeUsage(path: string): SubvolumeUsage {
  const qgroup = join(qgroupDirectory(path), withFolder(path, groupName));
  const number = (file: string): number => Number(readOrEmpty(join(qgroup, file)));
  const hasLimit = (number('limit_flags') & 1) !== 0;
  return {
    used: number('referenced') + number('rsv_data'),
    limit: hasLimit ? number('max_referenced') : undefined,
  };
}

function groupName(fd: number): string {
  const id = calls.subvolumeId(fd);
  const group = calls.groupOf(fd, id);
  return group === undefined ? `0_${id}` : `1_${BigInt.asUintN(48, group)}`;
}

const qgroupDirectory = (path: string): string =>
  join('/sys/fs/btrfs', withFolder(path, calls.fileSystemUuid), 'qgroups');

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (failure) {
    if (hasCode(failure, 'ENOENT')) return '';
    throw failure;
  }
}

/** The highest inode number of the subvolume. @throws SystemError */
export const highestInode = (path: string): bigint => withFolder(path, calls.highestInode);

export type { Extent } from './syscalls/btrfs.ts';

/** Each extent of data that the subvolume holds once; those written before transaction `since` are left out. */
export async function* dataOf(path: string, since = 0n): AsyncGenerator<calls.Extent> {
  const fd = openFolder(path);
  try {
    const seen = new Set<number>();
    for await (const extent of calls.extentsOf(fd, since)) {
      if (seen.has(extent.place)) continue;
      seen.add(extent.place);
      yield extent;
    }
  } finally {
    closeSync(fd);
  }
}

/** The transaction from which on data in the subvolume is its own, and not that of what it was copied from. */
export function firstOwnTransaction(path: string): bigint {
  const { transaction, isCopy } = withFolder(path, calls.subvolumeBirth);
  return isCopy ? transaction + 1n : transaction;
}

/**
 * Returns when all that was written before is on the disk; also sets off the clearing of destroyed subvolumes, which
 * otherwise waits for the next commit, up to 30 seconds.
 */
export async function syncBtrfs(path: string): Promise<void> {
  const fd = openFolder(path);
  try {
    await calls.syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}
