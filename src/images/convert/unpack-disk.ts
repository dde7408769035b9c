import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import { layOver, type TreeEntry } from '../../host/guest-tree.ts';
import type { Jails, RunningJail } from '../../host/jail/jails.ts';
import { PARTS } from '../artifact.ts';
import { lastLine } from '../import/decompress.ts';
import { IMPORT_LIMITS } from '../import/limits.ts';
import { FILE_OWNER, unpackTar } from '../import/unpack-tar.ts';
import { copyAccessLists } from './access-lists.ts';
import { isUnclean, makeCleanCopy } from './clean-copy.ts';
import { statFiles } from './disk-questions.ts';
import { restoreLinks } from './hard-links.ts';
import { copyTimes } from './times.ts';

/** Exit code of the script for a disk without a file system that it knows. */
const NO_FILE_SYSTEM = 90;
const NO_FILES =
  'The disk has no file system of Linux of its own that is whole: a foreign operating system, or partitions, cannot become a container.';
/**
 * The file system of the disk belongs to a guest: fuse2fs(1) reads it as a program without rights, so that the host's
 * kernel never does. Access lists are left out, as fuse(4) hides them in a user namespace; they are read apart.
 */
const READ = `
fuse2fs -o ro,fakeroot "/in/$1" /mnt >&2 || exit ${NO_FILE_SYSTEM}
tar --create --file=- --directory=/mnt --one-file-system --numeric-owner --sparse --format=posix \\
  --xattrs --xattrs-include='*' --xattrs-exclude='system.*' --exclude=./lost+found .
code=$?
umount /mnt
exit $code
`;

export interface DiskUnpacking {
  /** The folder that the disk lies in. */
  readonly source: string;
  /** An empty folder, with owner and mode of a root. */
  readonly target: string;
  /** A folder to make and take away again, for a copy of a disk that its guest left in disorder. */
  readonly scratch: string;
  readonly onFiles: (done: number) => void;
  /** The error for a disk that has no such files: none that can be read, or some that no root may have. */
  readonly unfit: (message: string, kind: 'file system' | 'content') => MullionError;
}

/**
 * Writes all files of a disk into a folder, with what owners, modes, attributes, access lists, device nodes and times
 * they have. Programs without rights do both, and every member is judged between them.
 */
export async function unpackDisk(jails: Jails, unpacking: DiskUnpacking, signal: AbortSignal): Promise<void> {
  const { source, scratch, unfit } = unpacking;
  const disk = join(source, PARTS.disk);
  if (!(await isUnclean(disk))) return unpackClean(jails, unpacking, signal);
  try {
    if (!(await makeCleanCopy(jails, disk, scratch, signal))) throw unfit(NO_FILES, 'file system');
    await unpackClean(jails, { ...unpacking, source: scratch }, signal);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function unpackClean(jails: Jails, unpacking: DiskUnpacking, signal: AbortSignal): Promise<void> {
  const { source, target, onFiles, unfit } = unpacking;
  const reader = await jails.start(
    {
      argv: ['sh', '-c', READ, 'read', PARTS.disk],
      mounts: [{ source, target: '/in', access: 'read' }],
      capabilities: FILE_OWNER,
      fuse: true,
      timeoutMs: IMPORT_LIMITS.timeoutMs,
    },
    signal,
  );
  reader.stdin.end();
  const devices: TreeEntry[] = [];
  try {
    await unpackTar(jails, reader.stdout, target, IMPORT_LIMITS, onFiles, signal, {
      onDevice: ({ mode, uid, gid, device }, path) =>
        devices.push({ kind: 'device', path, mode, uid, gid, device }),
    });
  } catch (failure) {
    reader.kill();
    throw await readerFailure(reader, failure, unfit);
  }
  const { code, stderr } = await reader.ended;
  if (code !== 0) throw unreadable(code, stderr, unfit);
  layOver(target, target, devices);
  const disk = join(source, PARTS.disk);
  const stats = await statFiles(jails, disk, signal);
  await restoreLinks(jails, stats, target, signal);
  await copyAccessLists(jails, disk, target, signal);
  await copyTimes(jails, stats, target, signal);
}

/** What the reader said explains more than that its archive broke off. */
async function readerFailure(
  reader: RunningJail,
  failure: unknown,
  unfit: DiskUnpacking['unfit'],
): Promise<unknown> {
  const told = await reader.ended.catch(() => undefined);
  if (told !== undefined && told.code === NO_FILE_SYSTEM) return unreadable(told.code, told.stderr, unfit);
  const { code, message, details } = asMullionError(failure);
  // The archive is the reader's own: it breaks off where the reader does.
  if (code === 'image_refused' && details.reason === 'truncated') {
    return new MullionError('command_failed', `The disk could not be read to its end.`, { cause: failure });
  }
  return code === 'image_refused' ? unfit(message, 'content') : failure;
}

const unreadable = (code: number, stderr: string, unfit: DiskUnpacking['unfit']): MullionError =>
  code === NO_FILE_SYSTEM
    ? unfit(NO_FILES, 'file system')
    : new MullionError('command_failed', `The disk cannot be read: ${lastLine(stderr)}`);
