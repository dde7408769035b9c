import { randomBytes } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import { allocateAddress } from '../core/addresses.ts';
import { macAddress, SLOTS } from '../core/naming.ts';
import { NO_REVIVAL } from '../core/restart-policy.ts';
import type { Operation } from '../store/store.ts';
import type { Context } from './context.ts';
import { joinGroups } from './firewall-members.ts';
import { lowestFree } from './networks.ts';
import { pursue, type Operation as VpsOperation } from './operate.ts';
import type { NetworkRecord, VpsRecord } from './records.ts';
import { claims, claimsOf } from './state.ts';
import type { TaskRun } from './task-run.ts';

/** What no two VPSs share. */
export type Place = Pick<VpsRecord, 'id' | 'slot' | 'ipv4' | 'ipv6' | 'mac' | 'machineId'>;

/** A free place on the node and on the network; it is taken once a record with it stands in the state. */
export function freePlace(context: Context, project: string, network: NetworkRecord): Place {
  const all = [...context.state.vps.values()];
  const slot = lowestFree(new Set(all.map((record) => record.slot)));
  if (slot >= SLOTS) {
    throw new MullionError('quota_exceeded', `This node holds at most ${SLOTS} VPSs.`, {
      remedy: 'Delete one first',
    });
  }
  const neighbours = all.filter((other) => other.project === project && other.network === network.name);
  const id = freshId(new Set(all.map(({ mac }) => mac)));
  return {
    id,
    slot,
    ...allocateAddress(network, new Set(neighbours.map(({ ipv4 }) => ipv4))),
    mac: macAddress(id),
    machineId: randomBytes(16).toString('hex'),
  };
}

/** What is so of every VPS before its first step. */
export const UNBORN = {
  forwards: [],
  snapshots: [],
  bounce: false,
  errand: null,
  shutdownMs: 0,
  state: 'creating',
  health: 'unknown',
  message: '',
  startedAt: null,
  observed: { recorded: true, volume: 'none', machine: 'none', network: 'none' },
  runtime: null,
  revival: NO_REVIVAL,
  lastWords: [],
  changed: [],
} satisfies Partial<VpsRecord>;

/**
 * Begins a VPS's life and answers the task of it. From the look at what is free to here nothing may wait.
 * `work` ends the task. Whoever names firewall groups that it joins has the turn in their queue.
 */
export async function beginLife(
  context: Context,
  kind: VpsOperation | 'backup.restore' | 'backup.verify',
  record: VpsRecord,
  work: (run: TaskRun) => Promise<void> = (run) => pursue(context, record.id, run),
  groups: readonly string[] = [],
): Promise<Task> {
  const { project } = record;
  context.state.vps.set(record);
  const joined = joinGroups(context, record, groups);
  const run = context.tasks.create({ kind, project, target: record.name, vps: record.id });
  run.begun = true;
  const accepted = Promise.withResolvers<void>();
  context.queue
    .run(record.id, async () => {
      try {
        await commitNew(context, record, [context.tasks.save(run), ...joined]);
      } catch (failure) {
        context.state.vps.drop(record);
        context.tasks.discard(run);
        return accepted.reject(failure);
      }
      accepted.resolve();
      await work(run);
    })
    .catch((failure: unknown) =>
      context.deps.logger.error('a launch broke off', { vps: record.id, failure }),
    );
  await accepted.promise;
  context.events.emit('vps.added', project, record.name, { id: record.id, task: run.id });
  return context.tasks.now(run.id);
}

/** @throws already_exists */
export function requireFreeName(context: Context, project: string, name: string | undefined): void {
  if (name !== undefined && context.state.findVps(project, name) !== undefined)
    throw nameTaken(project, name);
}

export const nameTaken = (project: string, name: string): MullionError =>
  new MullionError('already_exists', `The project ${project} has a VPS ${name} already.`, {
    remedy: `Choose another name, or delete it first: mullion delete ${name}`,
    details: { project, name },
  });

/** The MAC comes of the id by a hash of 24 bits: one that another VPS has is passed over. */
function freshId(takenMacs: ReadonlySet<string>): string {
  for (;;) {
    const id = randomBytes(6).toString('hex');
    if (!takenMacs.has(macAddress(id))) return id;
  }
}

async function commitNew(context: Context, record: VpsRecord, more: readonly Operation[]): Promise<void> {
  const { state } = context;
  const keys = claimsOf(record);
  const puts = keys.map((key) => ({ type: 'put', key, value: record.id }) as const);
  if (await state.commit([state.vps.put(record), ...more, ...puts], keys)) return;
  const name = await state.store.get(claims.name(record.project, record.name));
  if (name !== undefined) throw nameTaken(record.project, record.name);
  throw new MullionError('conflict', 'Something else took the same address at the same time.');
}
