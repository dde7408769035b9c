import { closeSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isBtrfs } from './btrfs.ts';
import { mount } from './mounts.ts';
import { run } from './run.ts';
import { attachLoop } from './syscalls/loop.ts';

/** Bytes of one request, in KiB: whoever waits for a synced write waits for few of another's that came before. */
const REQUEST_KIB = 128;

/** Loop devices whose backing file is this very file, for example /dev/loop3. */
export async function loopDevicesOf(file: string): Promise<string[]> {
  const { stdout } = await run([
    'losetup',
    '--noheadings',
    '--raw',
    '--output',
    'NAME',
    '--associated',
    file,
  ]);
  return stdout.split('\n').filter((line) => line !== '');
}

/**
 * Mounts a file system that lies in a file, past the page cache of the one below where that can: a synced write would
 * wait for all that the cache holds of the file. Btrfs below has checksums, which do not match memory that changes
 * while it is written. The loop device goes away by itself with the last mount of it; one that is
 * there already is used again, as two devices over one file would destroy its content. No command does this, as it
 * would go on after the daemon is killed and meet the next daemon's try.
 */
export async function mountFile(
  file: string,
  target: string,
  fstype: string,
  flags: number,
  options: string,
): Promise<void> {
  const [device] = await loopDevicesOf(file);
  if (device !== undefined) {
    mount(device, target, fstype, flags, options);
    return;
  }
  if (!existsSync('/dev/loop-control')) await run(['modprobe', 'loop']);
  const loop = attachLoop(file, !isBtrfs(file));
  try {
    keepRequestsShort(loop.device);
    mount(loop.device, target, fstype, flags, options);
  } finally {
    closeSync(loop.fd);
  }
}

/** Where /sys is not to be written, they stay as long as the kernel makes them (Linux, Documentation/ABI/stable/sysfs-block). */
function keepRequestsShort(device: string): void {
  try {
    writeFileSync(join('/sys/block', basename(device), 'queue/max_sectors_kb'), String(REQUEST_KIB));
  } catch {
    return;
  }
}

/** Lets every loop device of the file go with its last mount, now when there is none (loop(4), LO_FLAGS_AUTOCLEAR). */
export async function releaseLoops(file: string): Promise<void> {
  for (const device of await loopDevicesOf(file)) {
    const flag = join('/sys/block', basename(device), 'loop/autoclear');
    const released = existsSync(flag) && readFileSync(flag, 'utf8').trim() === '1';
    if (!released) await run(['losetup', '--detach', device]);
  }
}

/** Tells the kernel that the file of a loop device has another size now. */
export const refreshLoopSize = async (device: string): Promise<void> => {
  await run(['losetup', '--set-capacity', device]);
};
