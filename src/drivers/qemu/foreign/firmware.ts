import { constants, existsSync } from 'node:fs';
import { copyFile, open, rename, rm } from 'node:fs/promises';
import { MullionError } from '../../../contract/errors.ts';
import type { Firmware } from '../../../contract/vps.ts';
import type { Machine } from '../../driver.ts';
import { exists } from '../../guest-disk/disk.ts';

/** Where Debian keeps OVMF, UEFI for virtual machines; the larger flash comes first. */
export const OVMF_FOLDER = '/usr/share/OVMF';
const OVMF_FILES = [
  { code: 'OVMF_CODE_4M.fd', variables: 'OVMF_VARS_4M.fd' },
  { code: 'OVMF_CODE.fd', variables: 'OVMF_VARS.fd' },
] as const;

const SECTOR = 512;
const BLOCK = 2048;
const BOOT_CODE = 440;
/** ISO 9660: volume descriptors begin at block 16; El Torito's boot record is the second (El Torito 1.0, section 2). */
const BOOT_RECORD = 17 * BLOCK;
const EL_TORITO = 'EL TORITO SPECIFICATION';
const EFI_PLATFORM = 0xef;
const BOOTABLE = 0x88;

export type ReadAt = (position: number, length: number) => Promise<Buffer>;

/** The firmware for which a disk or an ISO has a boot loader; bios where it has both, as it starts faster. */
export async function firmwareOf(kind: 'disk' | 'iso', read: ReadAt): Promise<Firmware> {
  return kind === 'iso' ? firmwareOfIso(read) : firmwareOfDisk(read);
}

/** A PC's BIOS runs the first sector, so a disk with none there can only be meant for UEFI. */
async function firmwareOfDisk(read: ReadAt): Promise<Firmware> {
  const sector = await read(0, SECTOR);
  return sector.subarray(0, BOOT_CODE).every((byte) => byte === 0) ? 'uefi' : 'bios';
}

/** The boot catalogue names a platform for its first entry, and more of them in sections. */
async function firmwareOfIso(read: ReadAt): Promise<Firmware> {
  const record = await read(BOOT_RECORD, BLOCK);
  if (record.toString('latin1', 7, 7 + EL_TORITO.length) !== EL_TORITO) return 'bios';
  const catalogue = await read(record.readUInt32LE(0x47) * BLOCK, BLOCK);
  if (catalogue.length < 64) return 'bios';
  return catalogue[1] === EFI_PLATFORM || catalogue[32] !== BOOTABLE ? 'uefi' : 'bios';
}

/** The firmware that was asked for, or that of the image. */
export async function chooseFirmware(machine: Pick<Machine, 'image' | 'firmware'>): Promise<Firmware> {
  const { bootDisk, iso } = machine.image;
  const path = bootDisk ?? iso;
  if (machine.firmware !== undefined || path === undefined) return machine.firmware ?? 'bios';
  await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  const read: ReadAt = async (position, length) => {
    const buffer = Buffer.alloc(length);
    const { bytesRead } = await file.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  };
  return await firmwareOf(bootDisk === undefined ? 'iso' : 'disk', read);
}

/**
 * The host's UEFI for guests; its file of variables is copied into the volume at the first start and kept there.
 * @throws MullionError `host_unfit` where there is none
 */
export async function prepareUefi(variables: string): Promise<string> {
  const found = OVMF_FILES.find(({ code }) => existsSync(`${OVMF_FOLDER}/${code}`));
  if (found === undefined) {
    throw new MullionError(
      'host_unfit',
      `This host has no UEFI for guests: ${OVMF_FOLDER} has no firmware.`,
      {
        remedy: 'Install it with: apt-get install ovmf; or launch with --firmware bios',
      },
    );
  }
  if (!(await exists(variables))) {
    const unfinished = `${variables}.new`;
    await rm(unfinished, { force: true });
    await copyFile(`${OVMF_FOLDER}/${found.variables}`, unfinished);
    await rename(unfinished, variables);
  }
  return `${OVMF_FOLDER}/${found.code}`;
}
