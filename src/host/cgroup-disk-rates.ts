import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DiskRates } from '../contract/rates.ts';
import type { DeviceNumber } from './block-devices.ts';
import type { CgroupFolders } from './cgroup-meters.ts';

/** `io.max` of cgroup v2 (Documentation/admin-guide/cgroup-v2.rst). */
export function renderIoMax(device: DeviceNumber, rates: DiskRates): string {
  const value = (rate: number): string => (rate === 0 ? 'max' : String(rate));
  return `${device} rbps=${value(rates.diskReadRate)} wbps=${value(rates.diskWriteRate)} riops=${value(rates.diskReadOps)} wiops=${value(rates.diskWriteOps)}`;
}

/** Files of cgroup v1 (Documentation/admin-guide/cgroup-v1/blkio-controller.rst), where 0 takes a limit away. */
export const renderThrottles = (device: DeviceNumber, rates: DiskRates): [file: string, text: string][] => [
  ['blkio.throttle.read_bps_device', `${device} ${rates.diskReadRate}`],
  ['blkio.throttle.write_bps_device', `${device} ${rates.diskWriteRate}`],
  ['blkio.throttle.read_iops_device', `${device} ${rates.diskReadOps}`],
  ['blkio.throttle.write_iops_device', `${device} ${rates.diskWriteOps}`],
];

/** Limits what a group asks of each of these devices. */
export function writeDiskRates(
  { blkio, unified }: Pick<CgroupFolders, 'blkio' | 'unified'>,
  devices: readonly DeviceNumber[],
  rates: DiskRates,
): void {
  for (const device of devices) {
    if (blkio === undefined) writeFileSync(join(unified ?? '', 'io.max'), renderIoMax(device, rates));
    else for (const [file, text] of renderThrottles(device, rates)) writeFileSync(join(blkio, file), text);
  }
}
