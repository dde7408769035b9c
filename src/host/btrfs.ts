import { closeSync, constants, lstatSync, openSync, readFileSync, statfsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { run } from './run.ts';
import * as calls from './syscalls/btrfs.ts';
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

function withFolder<T>(path: string, use: (fd: number) => T): T {
  const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
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

/** A writable or read-only copy that shares all data; without the subvolumes inside. @throws SystemError */
export function snapshotSubvolume(source: string, target: string, readOnly: boolean): void {
  withFolder(source, (from) =>
    withFolder(dirname(target), (parent) => calls.snapshotAt(parent, basename(target), from, readOnly)),
  );
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

/** Writes beyond it fail with EDQUOT. @throws SystemError */
export const limitSubvolume = (path: string, bytes: number | undefined): void =>
  withFolder(path, (fd) => calls.limitQgroup(fd, calls.subvolumeId(fd), bytes));

export interface SubvolumeUsage {
  /** Bytes charged, those on their way to the disk included. */
  readonly used: number;
  readonly limit: number | undefined;
}

/** What the kernel counts at this moment; only with quota. */
export function subvolumeUsage(path: string): SubvolumeUsage {
  const id = withFolder(path, calls.subvolumeId);
  const qgroup = join(qgroupDirectory(path), `0_${id}`);
  const number = (file: string): number => Number(readOrEmpty(join(qgroup, file)));
  const hasLimit = (number('limit_flags') & 1) !== 0;
  return {
    used: number('referenced') + number('rsv_data'),
    limit: hasLimit ? number('max_referenced') : undefined,
  };
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

/**
 * Returns when all that was written before is on the disk; also sets off the clearing of destroyed subvolumes, which
 * otherwise waits for the next commit, up to 30 seconds. A command, as the call would block for as long as it takes.
 */
export const syncBtrfs = async (path: string): Promise<void> => {
  await run(['btrfs', 'filesystem', 'sync', path], { timeoutMs: 600_000 });
};
