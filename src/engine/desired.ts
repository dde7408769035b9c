import type { Technique } from '../contract/techniques.ts';
import { volumeLimit } from '../core/capacity.ts';
import { type Desired, type Goal, type LiveLimits, waitingForRestart } from '../core/plan.ts';
import type { DataForm } from '../images/converter.ts';
import type { Context } from './context.ts';
import { featuresOf } from './features.ts';
import type { VpsRecord } from './records.ts';

const live = (
  own: Pick<LiveLimits, 'cpus' | 'memory' | 'disk' | 'pids'>,
  diskRates: boolean,
): LiveLimits => ({
  ...own,
  ...{ diskReadRate: diskRates, diskWriteRate: diskRates, diskReadOps: diskRates, diskWriteOps: diskRates },
  ...{ networkInRate: true, networkOutRate: true },
});
const NOTHING_LIVE = live({ cpus: false, memory: false, disk: false, pids: false }, false);

/** What is wanted of a VPS, in the words of the plan. */
export function desiredOf(context: Context, record: VpsRecord, goal: Goal = record.goal): Desired {
  const { pool, networked } = context.deps;
  const driver = context.deps.drivers.get(record.technique);
  const features = driver === undefined ? undefined : featuresOf(context, record);
  const hasDisk = givesDisk(context, record);
  return {
    goal,
    limits: record.limits,
    volumeLimit: volumeLimit(record.limits.disk, hasDisk),
    quota: pool.features.quota,
    networked: networked && record.isolated !== true,
    live:
      features === undefined
        ? NOTHING_LIVE
        : live(
            {
              cpus: features.liveCpus,
              memory: features.liveMemory,
              disk: features.liveDisk && (hasDisk || pool.features.quota),
              pids: features.livePids,
            },
            features.liveDiskRates,
          ),
    shutdownMs: record.shutdownMs,
    copyOf: record.copyOf ?? undefined,
  };
}

/** The technique gives the VPS a disk of its own size, made from the image's disk. */
export const givesDisk = (context: Context, record: Pick<VpsRecord, 'technique'>): boolean =>
  context.deps.drivers.get(record.technique)?.needs(record.technique).includes('disk') ?? false;

/** How a technique keeps data. */
export const dataForm = (context: Context, technique: Technique): DataForm =>
  givesDisk(context, { technique }) ? 'disk' : 'root';

/** Properties that take effect at the next start. */
export const pendingRestart = (context: Context, record: VpsRecord): string[] => [
  ...waitingForRestart(desiredOf(context, record), record.observed),
  ...(record.runtime === null ? [] : record.changed),
];
