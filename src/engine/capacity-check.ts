import type { Technique } from '../contract/techniques.ts';
import type { Limits } from '../contract/vps.ts';
import { type Commitments, type Demand, requireCpus, requireDisk, requireMemory } from '../core/capacity.ts';
import { type Context, requireDriver } from './context.ts';
import { givesDisk } from './desired.ts';
import { metersOf } from './loss.ts';
import type { VpsRecord } from './records.ts';

const RUNS: ReadonlySet<VpsRecord['state']> = new Set([
  'creating',
  'starting',
  'running',
  'pausing',
  'paused',
  'stopping',
]);

export function demandOf(
  context: Context,
  technique: Technique,
  limits: Limits,
  minimumDisk: number,
): Demand {
  return {
    limits,
    features: requireDriver(context, technique).features(technique),
    givesDisk: givesDisk(context, { technique }),
    minimumDisk,
  };
}

/** What other VPSs were promised; `except` is the id of the one that asks. */
export function commitments(context: Context, except: string | undefined): Commitments {
  let ownKernelMemory = 0;
  let startingMemory = 0;
  for (const record of context.state.vps.values()) {
    if (record.id === except || !RUNS.has(record.state)) continue;
    if (record.state === 'creating' && record.goal !== 'running') continue;
    const driver = context.deps.drivers.get(record.technique);
    const features = driver?.features(record.technique);
    if (features?.ownKernel !== true || features.resourcesApart) continue;
    ownKernelMemory += record.limits.memory;
    if (record.health === 'starting' || record.state === 'starting' || record.state === 'creating') {
      startingMemory += record.limits.memory;
    }
  }
  return { ownKernelMemory, startingMemory };
}

/**
 * Refuses what the host cannot give to a VPS that is to run; `asking` is the id of one that is there already.
 * @throws insufficient_cpus, insufficient_memory, not_supported
 */
export function requireRoomToRun(context: Context, demand: Demand, asking?: string): void {
  const host = context.deps.host();
  requireCpus(demand, host);
  requireMemory(demand, host, commitments(context, asking), heldBy(context, asking));
}

/** Memory of the host that a VPS has; it goes on with it, or frees it before it takes another machine's. */
function heldBy(context: Context, id: string | undefined): number {
  const record = id === undefined ? undefined : context.state.vps.get(id);
  if (record === undefined) return 0;
  return Math.min(metersOf(context, record)?.memory ?? 0, record.limits.memory);
}

/** @throws insufficient_disk, invalid_request */
export async function requireRoomOnDisk(context: Context, demand: Demand): Promise<void> {
  requireDisk(demand, (await context.deps.pool.info()).free);
}

/** Refuses the start of a VPS for which this host has no room; one that has its machine has its room, too. */
export function requireRoomForVps(context: Context, record: VpsRecord): void {
  if (record.runtime !== null) return;
  requireRoomToRun(context, demandOf(context, record.technique, record.limits, 0), record.id);
}
