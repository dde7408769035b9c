import type { Usage, Vps, VpsInfo } from '../contract/vps.ts';
import { linkName } from '../core/naming.ts';
import { backupCondition } from './backups/condition.ts';
import { bounded } from './bounded.ts';
import type { Context } from './context.ts';
import { pendingRestart } from './desired.ts';
import { featuresOf } from './features.ts';
import { lossOf, metersOf } from './loss.ts';
import { machineOf } from './machine.ts';
import type { VpsRecord } from './records.ts';
import { viewSnapshots } from './snapshots.ts';
import { isStalled, stallText } from './stall.ts';

/** A VPS as everyone sees it. */
export const viewVps = (context: Context, record: VpsRecord): Vps => ({
  id: record.id,
  name: record.name,
  project: record.project,
  technique: record.technique,
  driver: record.driver,
  image: record.image,
  state: record.state,
  health: isStalled(context, record) ? 'degraded' : record.health,
  message: [record.message, stallText(context, record), nextStart(record), silence(context, record)]
    .filter(Boolean)
    .join(' '),
  network: record.network,
  addresses: context.deps.networked && record.isolated !== true ? [record.ipv4, record.ipv6] : [],
  mac: record.mac,
  ...record.limits,
  restart: record.restart,
  autostart: record.autostart,
  snapshotCount: record.snapshots.length,
  pendingRestart: pendingRestart(context, record),
  backup: backupCondition(context, record.id),
  createdAt: record.createdAt,
  startedAt: record.startedAt,
  node: context.deps.nodeName,
});

/** What is to be said of a guest that runs and from which nothing is heard. */
function silence(context: Context, record: VpsRecord): string {
  if (record.state !== 'running' || record.health !== 'unknown' || isStalled(context, record)) return '';
  if (!context.deps.drivers.has(record.technique)) return '';
  return featuresOf(context, record).health
    ? `Its guest has not said that it is ready; look at it with: mullion console ${record.name}`
    : 'Its guest boots by itself and has no agent, so that only its console and its screen show how it does.';
}

const nextStart = ({ revival: { due } }: VpsRecord): string =>
  due === null ? '' : `It is started again at ${due}.`;

export async function viewInfo(context: Context, record: VpsRecord): Promise<VpsInfo> {
  return {
    ...viewVps(context, record),
    usage: await usageOf(context, record),
    loss: lossOf(metersOf(context, record)),
    limits: record.limits,
    snapshots: viewSnapshots(record),
    forwards: record.forwards,
    reason: record.reason,
    lastWords: record.lastWords,
  };
}

/** What cannot be asked now counts as nothing used. */
async function usageOf(context: Context, record: VpsRecord): Promise<Usage> {
  const { pool, network, networked, naming, logger } = context.deps;
  const ask = async <T>(what: string, question: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await bounded(what, context.timings.question, question());
    } catch (failure) {
      logger.warn('no usage', { vps: record.id, what, failure });
      return undefined;
    }
  };
  const driver = context.deps.drivers.get(record.technique);
  const { runtime, observed } = record;
  // A guest that stands still answers no question.
  const meters =
    observed.machine === 'paused' || isStalled(context, record) ? metersOf(context, record) : undefined;
  const [machine, volume, link] = await Promise.all([
    runtime === null || driver === undefined
      ? undefined
      : (meters ?? ask('ask the machine', () => driver.usage(machineOf(context, record), runtime.handle))),
    observed.volume === 'filled' ? ask('ask the pool', () => pool.usage(record.id)) : undefined,
    networked && observed.network === 'connected'
      ? ask('ask the network', () => network.usage(linkName(naming, record.slot)))
      : undefined,
  ]);
  return {
    cpuSeconds: machine?.cpuSeconds ?? 0,
    memory: machine?.memory ?? 0,
    processes: machine === undefined ? 0 : (machine.processes ?? null),
    disk: volume?.used ?? 0,
    networkIn: link?.networkIn ?? 0,
    networkOut: link?.networkOut ?? 0,
  };
}
