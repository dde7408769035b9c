import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { formatSize, GIB, MIB } from '../../contract/sizes.ts';
import { keptForHost } from '../../core/pool-room.ts';
import { type Space, spaceOf } from '../../host/file-systems.ts';
import { run } from '../../host/run.ts';

export const MINIMUM_SIZE = 256 * MIB;
const USUAL_SIZE = 20 * GIB;
/** Of what is spared; packages, images that are built and the daemon's own state lie there, too. */
const USUAL_SHARE = 0.8;
/** Of the first superblock: offset 64 KiB, magic at 0x40 (btrfs on-disk format). */
const MAGIC_OFFSET = 0x10040;
const MAGIC = '_BHRfS_M';
const DRAFT_SUFFIX = '.making';

/** Bytes of the file system below that a pool may still take: VPSs within their limits may not fill the host's own disk. */
export const spared = ({ size, free }: Space): number => Math.max(0, free - keptForHost(size));

export const leftIn = ({ size, free }: Space): string =>
  `it has ${formatSize(free)} left, of which ${formatSize(keptForHost(size))} are kept for the host`;

/**
 * Makes the sparse file with an empty btrfs in it. It gets its name only when it is whole, so that a kill half-way
 * leaves nothing that looks like a pool.
 * @throws MullionError `insufficient_disk`, `invalid_request`
 */
export async function makePoolFile(file: string, asked: number | undefined): Promise<void> {
  const below = await spaceOf(dirname(file));
  const wanted = asked ?? Math.max(MINIMUM_SIZE, Math.min(USUAL_SIZE, USUAL_SHARE * spared(below)));
  const size = Math.floor(wanted / MIB) * MIB;
  if (size < MINIMUM_SIZE) {
    throw new MullionError('invalid_request', `A pool of ${formatSize(wanted)} is too small.`, {
      remedy: `Set the pool's size to at least ${formatSize(MINIMUM_SIZE)}`,
    });
  }
  if (size > spared(below)) {
    const most = Math.floor(spared(below) / MIB);
    const fits = most * MIB >= MINIMUM_SIZE;
    throw new MullionError(
      'insufficient_disk',
      `A pool of ${formatSize(size)} does not fit into the file system of ${file}: ${leftIn(below)}.`,
      {
        remedy: fits
          ? `Set a smaller pool size, ${most}M at most (MULLION_POOL_SIZE), or free space there`
          : 'Free space there, or set pool.path to a folder on btrfs elsewhere',
        details: { size, free: below.free },
      },
    );
  }
  removeDrafts(file);
  const draft = `${file}${DRAFT_SUFFIX}-${randomUUID()}`;
  try {
    withFile(draft, 'wx', (fd) => ftruncateSync(fd, size));
    await run(['mkfs.btrfs', '--quiet', '--label', 'mullion', draft]);
    withFile(draft, 'r+', fsyncSync);
    renameSync(draft, file);
    withFile(dirname(file), 'r', fsyncSync);
  } catch (failure) {
    rmSync(draft, { force: true });
    throw failure;
  }
}

/** A name of its own for each attempt: the mkfs of one that was killed may still be about to open its file. */
function removeDrafts(file: string): void {
  const prefix = `${basename(file)}${DRAFT_SUFFIX}`;
  for (const name of readdirSync(dirname(file)).filter((candidate) => candidate.startsWith(prefix))) {
    rmSync(join(dirname(file), name), { force: true });
  }
}

/** A file of that name without btrfs in it is not ours to overwrite. @throws MullionError `host_unfit` */
export function checkSignature(file: string): void {
  const magic = Buffer.alloc(MAGIC.length);
  withFile(file, 'r', (fd) => readSync(fd, magic, 0, magic.length, MAGIC_OFFSET));
  if (magic.toString('latin1') === MAGIC) return;
  throw new MullionError('host_unfit', `The file ${file} holds no btrfs file system.`, {
    remedy:
      'Restore the file; or, when nothing of worth was in the pool, remove it and start the daemon again',
  });
}

function withFile<T>(path: string, flags: string, use: (fd: number) => T): T {
  const fd = openSync(path, flags, 0o600);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
