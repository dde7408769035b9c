import { constants } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { renderCpio } from '../archive/cpio.ts';
import type { ArchiveEntry } from '../archive/entry.ts';
import { renderTar } from '../archive/tar.ts';

/** Where the image's own /init finds the identity, which it unpacks over the root file system. */
const PROVISION = 'mullion/provision.tar';
const ALIGNMENT = 4;

/**
 * What follows the image's initial file system: an archive that holds the identity as a tar.
 * @param more files of the initial file system itself, in place of the image's
 */
export function renderProvision(
  identity: readonly ArchiveEntry[],
  time: Date,
  more: readonly ArchiveEntry[] = [],
): Buffer {
  return renderCpio([
    { kind: 'directory', path: 'mullion', mode: 0o700 },
    { kind: 'file', path: PROVISION, mode: 0o600, content: renderTar(identity, time) },
    ...more,
  ]);
}

/** Writes the image's initial file system with the machine's identity behind it; shares the former's blocks if it can. */
export async function writeInitramfs(source: string, target: string, provision: Buffer): Promise<void> {
  const unfinished = `${target}.new`;
  await rm(unfinished, { force: true });
  await copyFile(source, unfinished, constants.COPYFILE_FICLONE);
  const file = await open(unfinished, 'r+');
  try {
    await file.chmod(0o600);
    const { size } = await file.stat();
    const padding = Buffer.alloc((ALIGNMENT - (size % ALIGNMENT)) % ALIGNMENT);
    const content = Buffer.concat([padding, provision]);
    await file.write(content, 0, content.length, size);
  } finally {
    await file.close();
  }
  await rename(unfinished, target);
}
