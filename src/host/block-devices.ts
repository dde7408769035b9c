import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { readIfThere } from './cgroup-files.ts';
import { mountsUnder } from './mounts.ts';

/** Numbers of a block device, as cgroup files name it. */
export type DeviceNumber = `${number}:${number}`;

/**
 * The whole disks and loop devices right below the file system that `path` lies on; none where it is on no block device.
 * Requests of a partition are counted on its disk. A device of a number of its own (btrfs) may lie on several.
 */
export function devicesBelow(path: string): DeviceNumber[] {
  const place = realpathSync(path);
  const mount = mountsUnder('/').findLast(
    ({ target }) => target === '/' || place === target || place.startsWith(`${target}/`),
  );
  const own = numbers(statSync(place).dev);
  const devices = mount?.fstype === 'btrfs' ? membersOf(mount.source) : own.startsWith('0:') ? [] : [own];
  return [...new Set(devices.map(wholeDisk))];
}

/** How long it counts what lies on a disk. */
const KNOWN_MS = 60_000;
const below = new Map<string, { readonly at: number; readonly isBelow: boolean }>();

/** Whether other devices (LVM, LUKS, md) lie on a disk or a partition of it. */
export function isBelowOthers(device: string): boolean {
  const known = below.get(device);
  if (known !== undefined && performance.now() - known.at < KNOWN_MS) return known.isBelow;
  const isBelow = isHeld(`/sys/dev/block/${device}`);
  below.set(device, { at: performance.now(), isBelow });
  return isBelow;
}

/** @param folder of a disk (Linux, Documentation/ABI/testing/sysfs-block: `holders`) */
export function isHeld(folder: string): boolean {
  const parts = readdirIfThere(folder).filter((name) => existsSync(`${folder}/${name}/partition`));
  return ['', ...parts.map((name) => `/${name}`)].some(
    (place) => readdirIfThere(`${folder}${place}/holders`).length > 0,
  );
}

/** All devices of the btrfs file system of which `source` is one. */
function membersOf(source: string): DeviceNumber[] {
  const name = basename(realpathSync(source));
  const together = readdirIfThere('/sys/fs/btrfs')
    .map((id) => readdirIfThere(`/sys/fs/btrfs/${id}/devices`))
    .find((devices) => devices.includes(name));
  return (together ?? [name]).map((device) => numbers(statSync(`/dev/${device}`).rdev));
}

/** makedev(3), the part that fits where minors are below 2^20. */
function numbers(dev: number): DeviceNumber {
  const wide = BigInt(dev);
  const major = Number(((wide >> 8n) & 0xfffn) | ((wide >> 32n) & 0xfffff000n));
  const minor = Number((wide & 0xffn) | ((wide >> 12n) & 0xffffff00n));
  return `${major}:${minor}`;
}

function wholeDisk(number: DeviceNumber): DeviceNumber {
  const folder = `/sys/dev/block/${number}`;
  if (readIfThere(`${folder}/partition`) === '') return number;
  const [major = 0, minor = 0] = readIfThere(`${folder}/../dev`).trim().split(':').map(Number);
  return `${major}:${minor}`;
}

function readdirIfThere(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
