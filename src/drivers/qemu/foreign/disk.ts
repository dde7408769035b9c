import { open, rename, rm } from 'node:fs/promises';
import type { Machine } from '../../driver.ts';
import { diskFile, diskSize, exists, populateDisk } from '../../guest-disk/disk.ts';

/** A copy of the image's disk, or an empty one, on which its ISO may install a system. A disk that is there is kept. */
export async function populateForeign(machine: Machine): Promise<void> {
  const { bootDisk } = machine.image;
  if (bootDisk !== undefined) return populateDisk(machine, bootDisk);
  const disk = diskFile(machine);
  if (await exists(disk)) return;
  const unfinished = `${disk}.new`;
  await rm(unfinished, { force: true });
  {
    await using file = await open(unfinished, 'wx', 0o600);
    await file.truncate(diskSize(machine.limits.disk));
    await file.sync();
  }
  await rename(unfinished, disk);
}
