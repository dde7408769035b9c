import { chmod, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/size-text.ts';
import { JAIL_UID_BASE, UID_COUNT } from '../../core/naming.ts';
import { cloneMount, mountReadOnlyOverlay } from '../../host/mounts.ts';
import { PARTS } from '../artifact.ts';
import type { Conversion, ConversionProgress } from '../converter.ts';
import { renderMakeDisk } from '../disk-image.ts';
import { lastLine } from '../import/decompress.ts';
import { FILE_OWNER } from '../import/unpack-tar.ts';
import type { ConverterDeps } from './local-converter.ts';
import { refuse } from './refuse.ts';

const TIMEOUT_MS = 1_800_000;
/**
 * mke2fs(8) keeps whole seconds of the times; debugfs(8) adds what is below. ext4 keeps 30 bits of nanoseconds above 2 bits
 * of the epoch (kernel documentation, ext4, "Inode Timestamps").
 */
const NANOSECONDS = `
find /in -xdev -printf '%T@ %P\\n' | perl -lne '
  printf "sif \\"/%s\\" mtime_extra %d\\n", $2, $1 * 4 if /^-?\\d+[.](\\d{9})\\d* ([^"\\\\]*)$/ && $1 > 0
' | debugfs -w -f - "/out/$1" >/dev/null`;

/** Where the layers of the old root are mounted. */
export interface RootPlaces {
  readonly lower: string;
  readonly upper: string;
  readonly root: string;
}

/**
 * Makes a disk of a root: both layers are mounted as one, with the ids of the jail, and mke2fs(8) copies what they show.
 */
export async function diskFromRoot(
  { jails, userNamespaces }: ConverterDeps,
  { source, target, image, diskSize }: Conversion,
  places: RootPlaces,
  onProgress: (progress: ConversionProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  if (image.rootfs === undefined) {
    throw new MullionError('image_unfit', `The image ${image.id} has no root file system.`);
  }
  const userNamespace = await userNamespaces.acquire(JAIL_UID_BASE, UID_COUNT);
  cloneMount(image.rootfs, places.lower, { userNamespace, readOnly: true });
  cloneMount(join(source, 'upper'), places.upper, { userNamespace, readOnly: true });
  mountReadOnlyOverlay(places.root, [places.upper, places.lower]);
  onProgress({ step: 'make the disk', done: 0, unit: 'bytes' });
  const disk = join(target, PARTS.disk);
  const inJail = (argv: readonly string[]) =>
    jails.run(
      {
        argv,
        mounts: [
          { source: places.root, target: '/in', access: 'read', mapped: false },
          { source: target, target: '/out', access: 'write' },
        ],
        capabilities: FILE_OWNER,
        timeoutMs: TIMEOUT_MS,
      },
      signal,
    );
  const { code, stderr } = await inJail(renderMakeDisk('/in', `/out/${PARTS.disk}`, diskSize));
  if (code !== 0) {
    if (/allocate|space|too small/i.test(stderr)) {
      throw refuse(
        `The files do not fit on a disk of ${formatSize(diskSize)}: a disk holds the image's files too.`,
        'Give it a larger disk first: mullion set NAME disk=SIZE',
      );
    }
    throw new MullionError('command_failed', `No disk could be made: ${lastLine(stderr)}`);
  }
  const times = await inJail(['sh', '-c', NANOSECONDS, 'times', PARTS.disk]);
  if (times.code !== 0)
    throw new MullionError('command_failed', `Times cannot be set: ${lastLine(times.stderr)}`);
  await chmod(disk, 0o600);
  await truncate(disk, diskSize);
}
