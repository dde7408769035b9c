import { existsSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { GUEST_DISK_NUMBER } from './render.ts';
import type { XenStore } from './xenstore.ts';

const OPEN_MS = 20_000;

/**
 * Tells the back end which device is the disk of a new domain: a script's part, were there one (Xen, docs/misc/block-scripts),
 * and most of the time that such a start takes. Returns once the back end holds the device.
 * @throws MullionError `start_failed` when it does not take it
 */
export async function serveDisk(store: XenStore, domain: number, device: string): Promise<void> {
  const { rdev } = statSync(device);
  const path = `backend/vbd/${domain}/${GUEST_DISK_NUMBER}`;
  await store.write(`/local/domain/0/${path}/physical-device`, xenDeviceNumber(rdev));
  await store.write(`/local/domain/0/${path}/hotplug-status`, 'connected');
  // Linux, drivers/block/xen-blkback/xenbus.c: it shows this once it has opened the device.
  const shown = `/sys/bus/xen-backend/devices/vbd-${domain}-${GUEST_DISK_NUMBER}/physical_device`;
  for (const deadline = performance.now() + OPEN_MS; !existsSync(shown); await sleep(5)) {
    const failure = await store.read(`/local/domain/0/error/${path}/error`);
    if (failure === undefined && performance.now() < deadline) continue;
    throw new MullionError(
      'start_failed',
      `The disk's back end does not take ${device}: ${failure ?? 'no answer'}.`,
    );
  }
}

/** Major and minor number, hexadecimal, as the back end reads them. @param rdev as stat(2) gives it (makedev(3)) */
export function xenDeviceNumber(rdev: number): string {
  const wide = BigInt(rdev);
  const major = ((wide >> 8n) & 0xfffn) | ((wide >> 32n) & 0xfffff000n);
  const minor = (wide & 0xffn) | ((wide >> 12n) & 0xffffff00n);
  return `${major.toString(16)}:${minor.toString(16)}`;
}
