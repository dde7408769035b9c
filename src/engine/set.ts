import { MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import type { SetRequest } from '../contract/vps.ts';
import { requireDiskChange, requireRates } from '../core/capacity.ts';
import { isAlive, LIMIT_NAMES } from '../core/plan.ts';
import { demandOf, requireRoomOnDisk, requireRoomToRun } from './capacity-check.ts';
import { type Context, requireDriver } from './context.ts';
import { desiredOf } from './desired.ts';
import { featuresOf } from './features.ts';
import { operate } from './operate.ts';
import type { VpsRecord } from './records.ts';
import { requireRoomToAnswer } from './stall.ts';

/** Changes what is wanted of a VPS, refused at once where it cannot be. */
export async function set(context: Context, record: VpsRecord, changes: SetRequest): Promise<Task> {
  const limits = { ...record.limits, ...pickLimits(changes) };
  const demand = demandOf(context, record.technique, limits, 0);
  if (changes.disk !== undefined) {
    const { used } =
      record.observed.volume === 'filled' ? await context.deps.pool.usage(record.id) : { used: 0 };
    requireDiskChange(record.name, demand.givesDisk, record.limits.disk, changes.disk, used);
    const growth = { ...limits, disk: Math.max(0, changes.disk - record.limits.disk) };
    await requireRoomOnDisk(context, { ...demand, limits: growth, givesDisk: false });
  }
  requireRates(demand);
  if (changes.cpus !== undefined || changes.memory !== undefined) {
    requireRoomToRun(context, demand, record.id);
  }
  const { env, sshKeys, restart, autostart } = record;
  return operate(context, record, {
    kind: 'vps.set',
    event: 'set',
    patch: (current) => {
      requireAbilityToTake(context, current, changes);
      return changed(current, changes);
    },
    revert: { limits: record.limits, env, sshKeys, restart, autostart, changed: record.changed },
  });
}

const changed = (current: VpsRecord, changes: SetRequest): Partial<VpsRecord> => ({
  limits: { ...current.limits, ...pickLimits(changes) },
  env: changes.env ?? current.env,
  sshKeys: changes.sshKeys ?? current.sshKeys,
  restart: changes.restart ?? current.restart,
  autostart: changes.autostart ?? current.autostart,
  changed: changedSince(current, changes),
});

/** Limits that change while a machine runs may need its own agent. @throws MullionError while that cannot answer */
function requireAbilityToTake(context: Context, record: VpsRecord, changes: SetRequest): void {
  const { observed, limits, name } = record;
  const { live } = desiredOf(context, record);
  const own = (['cpus', 'memory', 'disk', 'pids'] as const).filter(
    (limit) => live[limit] && changes[limit] !== undefined && changes[limit] !== limits[limit],
  );
  const asks = requireDriver(context, record.technique).health?.agent !== undefined;
  if (own.length === 0 || !asks || !isAlive(observed.machine) || !featuresOf(context, record).health) return;
  requireRoomToAnswer(context, record);
  if (observed.machine !== 'paused') return;
  throw new MullionError(
    'wrong_state',
    `The VPS ${name} is paused, and takes ${own.join(', ')} by its own agent.`,
    {
      remedy: `Let it go on first: mullion resume ${name}`,
    },
  );
}

/** Those that are named. */
function pickLimits(changes: SetRequest): Partial<VpsRecord['limits']> {
  return Object.fromEntries(
    LIMIT_NAMES.flatMap((name) => {
      const value = changes[name];
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

function changedSince(record: VpsRecord, changes: SetRequest): VpsRecord['changed'] {
  if (record.runtime === null) return [];
  const named = (['env', 'sshKeys'] as const).filter((property) => changes[property] !== undefined);
  return [...new Set([...record.changed, ...named])];
}
