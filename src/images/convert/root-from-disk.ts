import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import { layOver, type TreeEntry } from '../../host/guest-tree.ts';
import type { RunningJail } from '../../host/jail/jails.ts';
import { hideLower } from '../../host/overlay-marks.ts';
import { PARTS } from '../artifact.ts';
import type { Conversion, ConversionProgress } from '../converter.ts';
import { lastLine } from '../import/decompress.ts';
import { IMPORT_LIMITS } from '../import/limits.ts';
import { FILE_OWNER, unpackTar } from '../import/unpack-tar.ts';
import { copyAccessLists } from './access-lists.ts';
import type { ConverterDeps } from './local-converter.ts';
import { refuse } from './refuse.ts';
import { copyTimes } from './times.ts';

/** Exit code of the script for a disk without a file system that it knows. */
const NO_FILE_SYSTEM = 90;
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

/** Makes a root of a disk: all of its files as the VPS's own layer, which hides the image's. */
export async function rootFromDisk(
  { jails }: ConverterDeps,
  { source, target, image }: Conversion,
  onProgress: (progress: ConversionProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  if (image.rootfs === undefined) {
    throw new MullionError('image_unfit', `The image ${image.id} has no root file system.`);
  }
  const upper = join(target, 'upper');
  for (const [path, mode] of [
    [upper, 0o755],
    [join(target, 'work'), 0o700],
  ] as const) {
    mkdirSync(path, { mode });
    chownSync(path, 0, 0);
    chmodSync(path, mode);
  }
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
    await unpackTar(
      jails,
      reader.stdout,
      upper,
      IMPORT_LIMITS,
      (done) => onProgress({ step: 'copy the files', done, unit: 'items' }),
      signal,
      {
        onDevice: ({ mode, uid, gid, device }, path) =>
          devices.push({ kind: 'device', path, mode, uid, gid, device }),
      },
    );
  } catch (failure) {
    reader.kill();
    throw await readerFailure(reader, failure);
  }
  const { code, stderr } = await reader.ended;
  if (code !== 0) throw unreadable(code, stderr);
  layOver(upper, upper, devices);
  const disk = join(source, PARTS.disk);
  await copyAccessLists(jails, disk, upper, signal);
  await copyTimes(jails, disk, upper, signal);
  hideLower(upper, image.rootfs);
}

/** What the reader said explains more than that its archive broke off. */
async function readerFailure(reader: RunningJail, failure: unknown): Promise<unknown> {
  const told = await reader.ended.catch(() => undefined);
  if (told !== undefined && told.code === NO_FILE_SYSTEM) return unreadable(told.code, told.stderr);
  const { code, message } = asMullionError(failure);
  return code === 'image_refused'
    ? refuse(message, 'Change that inside the VPS, then convert it again')
    : failure;
}

const unreadable = (code: number, stderr: string): MullionError =>
  code === NO_FILE_SYSTEM
    ? refuse(
        'The disk has no file system of Linux of its own: a foreign operating system, or partitions, cannot become a container.',
        'Convert it to a technique that gives it a disk: full, hardware, kernel or para',
      )
    : new MullionError('command_failed', `The disk cannot be read: ${lastLine(stderr)}`);
