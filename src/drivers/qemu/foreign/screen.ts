import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import { MullionError } from '../../../contract/errors.ts';
import type { Machine } from '../../driver.ts';
import { JAIL, machinePaths } from '../paths.ts';
import type { QmpClient } from '../qmp.ts';

/** More than the largest picture that 16 MiB of video memory can hold. */
const LIMIT = 64 * 1024 * 1024;
const PNG = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
let taken = 0;

/**
 * The screen as it is now. QEMU writes the picture where it may write; what it left there is hostile input.
 * @throws MullionError `not_supported` from a QEMU older than 7.1, which writes no PNG
 */
export async function takeScreenshot(machine: Machine, monitor: QmpClient): Promise<Buffer> {
  taken += 1;
  const name = `screen-${taken}.png`;
  const path = join(machinePaths(machine).sockets, name);
  try {
    const asked = { filename: `${JAIL.sockets}/${name}`, format: 'png' };
    await monitor.execute('screendump', asked, z.unknown()).catch((cause: unknown) => {
      if (!(cause instanceof MullionError) || !/format/.test(cause.message)) throw cause;
      throw new MullionError('not_supported', 'The QEMU of this host writes no PNG.', {
        remedy: 'Install QEMU 7.1 or newer',
        cause,
      });
    });
    return await readPicture(path, machine.ids.base);
  } finally {
    await rm(path, { force: true, recursive: true });
  }
}

async function readPicture(path: string, owner: number): Promise<Buffer> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  await using file = await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  const found = await file.stat();
  const fits = found.isFile() && found.uid === owner && found.nlink === 1 && found.size <= LIMIT;
  const content = Buffer.alloc(fits ? found.size : 0);
  const { bytesRead } = await file.read(content, 0, content.length, 0);
  const picture = content.subarray(0, bytesRead);
  if (picture.subarray(0, PNG.length).equals(PNG)) return picture;
  throw new MullionError('command_failed', 'QEMU made no picture of the screen.');
}
