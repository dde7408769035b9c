import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type ByteRange, cloneRange, dataRanges, setTimes } from '../../host/data-ranges.ts';
import { SystemError } from '../../host/system-error.ts';
import type { DiskFiles } from '../backup.ts';
import { blockName, blocksOf, canBeTakenApart, folderOf, isTaken, sizeName } from './block-layout.ts';
import { blockTime } from './block-times.ts';

/**
 * Replaces the disks of a folder by folders of their blocks, without a byte being copied. All of them or none: none when
 * the file system cannot share blocks, or when the folder holds anything whose times a guest sets.
 */
export async function takeApart(folder: string, disks: DiskFiles, signal: AbortSignal): Promise<boolean> {
  const entries = await readdir(folder, { withFileTypes: true });
  if (disks.names.length === 0 || entries.some((entry) => !entry.isFile() || isTaken(entry.name)))
    return false;
  try {
    for (const name of disks.names) {
      if (await makeBlocks(folder, name, disks.copiedAfter, signal)) continue;
      await dropBlocks(folder, disks.names);
      return false;
    }
  } catch (failure) {
    await dropBlocks(folder, disks.names);
    throw failure;
  }
  for (const name of disks.names) await unlink(join(folder, name));
  return true;
}

async function dropBlocks(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) await rm(join(folder, folderOf(name)), { recursive: true, force: true });
}

async function makeBlocks(
  folder: string,
  name: string,
  copiedAfter: Date,
  signal: AbortSignal,
): Promise<boolean> {
  await using disk = await open(join(folder, name), constants.O_RDONLY | constants.O_NOFOLLOW);
  const about = await disk.stat({ bigint: true });
  const size = Number(about.size);
  if (!canBeTakenApart(name, size)) return false;
  const time = blockTime(about.ctimeNs, copiedAfter, BigInt(randomBytes(6).readUIntBE(0, 6)));
  const blocks = join(folder, folderOf(name));
  await mkdir(blocks, { mode: 0o700 });
  for (const range of blocksOf(await dataRanges(disk.fd, signal), size)) {
    signal.throwIfAborted();
    await using file = await create(join(blocks, blockName(range)));
    if (!(await shares(disk, range, file))) return false;
    setTimes(file.fd, time);
  }
  await using last = await create(join(blocks, sizeName(size)));
  await last.chown(Number(about.uid), Number(about.gid));
  await last.chmod(Number(about.mode) & 0o777);
  setTimes(last.fd, time);
  return true;
}

const create = (path: string): Promise<FileHandle> =>
  open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600);

/** Whatever stands in the way, the disk can still be saved whole. */
async function shares(disk: FileHandle, range: ByteRange, file: FileHandle): Promise<boolean> {
  try {
    await cloneRange(disk.fd, range, file.fd, 0);
    return true;
  } catch (failure) {
    if (failure instanceof SystemError) return false;
    throw failure;
  }
}
