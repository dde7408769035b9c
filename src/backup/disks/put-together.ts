import { constants } from 'node:fs';
import { type FileHandle, open, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { type ByteRange, cloneRange } from '../../host/data-ranges.ts';
import { hasCode, SystemError } from '../../host/system-error.ts';
import { blockName, type DiskLayout, folderOf } from './block-layout.ts';

const PIECE = 1024 ** 2;

/** Makes disks of their restored blocks, which go one by one. What fails leaves nothing of them. */
export async function putTogether(
  folder: string,
  layouts: readonly DiskLayout[],
  signal: AbortSignal,
): Promise<void> {
  try {
    for (const layout of layouts) await putOne(folder, layout, signal);
  } catch (failure) {
    for (const { name } of layouts) await rm(join(folder, name), { force: true });
    throw failure;
  } finally {
    for (const { name } of layouts) await rm(join(folder, folderOf(name)), { recursive: true, force: true });
  }
}

async function putOne(folder: string, layout: DiskLayout, signal: AbortSignal): Promise<void> {
  const path = join(folder, layout.name);
  const blocks = join(folder, folderOf(layout.name));
  try {
    await using disk = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    await disk.truncate(layout.size);
    for (const range of layout.blocks) {
      signal.throwIfAborted();
      await place(join(blocks, blockName(range)), range, disk, layout);
    }
    await disk.chown(layout.uid, layout.gid);
    await disk.chmod(layout.mode);
    await disk.sync();
  } catch (failure) {
    if (!hasCode(failure, 'ENOSPC', 'EDQUOT', 'EFBIG')) throw failure;
    throw new MullionError('insufficient_disk', `There is no room for the disk ${layout.name}.`, {
      cause: failure,
    });
  }
}

async function place(path: string, range: ByteRange, disk: FileHandle, layout: DiskLayout): Promise<void> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using block = await open(path, flags);
  const about = await block.stat();
  const length = range.end - range.start;
  if (!about.isFile() || about.size !== length) {
    throw new MullionError('backup_damaged', `A block of ${layout.name} came back with another size.`);
  }
  try {
    await cloneRange(block.fd, { start: 0, end: length }, disk.fd, range.start);
  } catch (failure) {
    if (!(failure instanceof SystemError)) throw failure;
    await copy(block, length, disk, range.start);
  }
  await unlink(path);
}

async function copy(from: FileHandle, length: number, to: FileHandle, at: number): Promise<void> {
  const memory = Buffer.alloc(Math.min(PIECE, length));
  for (let done = 0; done < length; ) {
    const { bytesRead } = await from.read(memory, 0, memory.length, done);
    if (bytesRead === 0) throw new MullionError('backup_damaged', 'A block of a disk ended too early.');
    for (let written = 0; written < bytesRead; ) {
      const result = await to.write(memory, written, bytesRead - written, at + done + written);
      written += result.bytesWritten;
    }
    done += bytesRead;
  }
}
