import type { Loss } from '../contract/vps.ts';
import type { DriverMeters } from '../drivers/driver.ts';
import type { Context } from './context.ts';
import { machineOf } from './machine.ts';
import type { VpsRecord } from './records.ts';

/** What the host has counted of a VPS that runs, without asking its guest; undefined where it counts nothing. */
export function metersOf(context: Context, record: VpsRecord): DriverMeters | undefined {
  if (record.runtime === null) return undefined;
  const driver = context.deps.drivers.get(record.technique);
  return driver?.meters?.(machineOf(context, record));
}

export const lossOf = (meters: DriverMeters | undefined): Loss => ({
  cpuWaited: meters?.cpuWaitedSeconds ?? null,
  cpuThrottled: meters?.cpuThrottledSeconds ?? null,
  memoryStalled: meters?.memoryStalledSeconds ?? null,
  ioStalled: meters?.ioStalledSeconds ?? null,
  oomKills: meters?.oomKills ?? null,
});
