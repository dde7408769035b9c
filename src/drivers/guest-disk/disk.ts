import { constants } from 'node:fs';
import { copyFile, open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/size-text.ts';
import { run } from '../../host/run.ts';
import type { Machine } from '../driver.ts';
import { plainFile } from '../jail/jail-files.ts';

const SECTOR = 512;

/** The disk of a machine that has one lies in its volume. */
export const diskFile = (machine: Machine): string => join(machine.volume, 'disk.raw');

/** Size of the disk as the guest sees it. */
export const diskSize = (limit: number): number => Math.floor(limit / SECTOR) * SECTOR;

/**
 * Fills an empty volume with the image's disk, shared with the image where the file system can, and as large as the
 * machine's limit. A disk that is there already is kept.
 * @throws MullionError `image_unfit` without a disk in the image, `invalid_request` when the limit is below its size
 */
export async function populateDisk(machine: Machine, source = machine.image.disk): Promise<void> {
  const disk = diskFile(machine);
  if (await exists(disk)) return;
  if (source === undefined) {
    throw new MullionError('image_unfit', `The image ${machine.image.id} has no disk for a virtual machine.`);
  }
  const size = diskSize(machine.limits.disk);
  const needed = (await stat(source)).size;
  if (size < needed) {
    throw new MullionError(
      'invalid_request',
      `The disk of ${formatSize(size)} is smaller than the image, which has ${formatSize(needed)}.`,
      { remedy: `Ask for a disk of at least ${formatSize(needed)}` },
    );
  }
  const unfinished = `${disk}.new`;
  try {
    await clone(source, unfinished);
    const file = await open(unfinished, 'r+');
    try {
      await file.chmod(0o600);
      await file.truncate(size);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(unfinished, disk);
  } catch (failure) {
    await rm(unfinished, { force: true });
    throw failure;
  }
}

export interface GrownDisk {
  /** In bytes. */
  readonly size: number;
  readonly hasGrown: boolean;
}

/**
 * Makes the disk's file as large as the new limit, never smaller. A link in its place is not followed.
 * @throws MullionError `host_unfit` when it is no plain file
 */
export async function growDiskFile(machine: Machine, limit: number): Promise<GrownDisk> {
  const path = plainFile(diskFile(machine));
  const file = await open(path, constants.O_RDWR | constants.O_NOFOLLOW);
  try {
    const present = (await file.stat()).size;
    const size = Math.max(present, diskSize(limit));
    const hasGrown = size > present;
    if (hasGrown) await file.truncate(size);
    return { size, hasGrown };
  } finally {
    await file.close();
  }
}

/** Shares the blocks where the file system can; else cp(1) copies and keeps holes. */
async function clone(source: string, target: string): Promise<void> {
  await rm(target, { force: true });
  try {
    await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE);
  } catch {
    const argv = ['cp', '--reflink=never', '--sparse=always', '--', source, target];
    await run(argv, { timeoutMs: 15 * 60_000 });
  }
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
