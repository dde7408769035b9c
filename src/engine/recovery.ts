import { MullionError } from '../contract/errors.ts';
import type { Driver } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';
import { type Context, now } from './context.ts';
import { removeLeftovers } from './leftovers.ts';
import { attachmentOf, machineOf } from './machine.ts';
import { operate, pursue, watch } from './operate.ts';
import type { TaskRecord, VpsRecord } from './records.ts';

/**
 * After a start of the daemon: finds the machines that still run, makes the network match them, removes what nobody
 * owns, and goes on with the tasks that an earlier daemon left.
 */
export async function recover(context: Context): Promise<void> {
  const { state, deps } = context;
  const records = [...state.vps.values()];
  const present = await context.deps.pool.listVolumes();
  const held = await heldMachines(context);
  const adopted = await Promise.all(
    records.map((record) => observe(context, record, new Set(present), held)),
  );
  for (const record of adopted) state.vps.set(record);
  if (deps.networked) {
    const attached = adopted.filter(({ observed }) => isAlive(observed.machine));
    await bounded(
      'set up the networks',
      context.timings.step,
      deps.network.sync({
        networks: [...state.networks.values()],
        attachments: attached.flatMap((record) => attachmentOf(context, record) ?? []),
      }),
    );
  }
  await removeLeftovers(context, present, held);
  await takeUp(context, new Map(records.map((record) => [record.id, record])));
}

const isAlive = (machine: VpsRecord['observed']['machine']): boolean =>
  machine === 'running' || machine === 'paused';

/** Ids of machines of which the host still holds something, by the driver that says so. */
async function heldMachines(context: Context): Promise<Map<Driver, string[]>> {
  const held = new Map<Driver, string[]>();
  for (const driver of new Set(context.deps.drivers.values())) {
    try {
      held.set(driver, await bounded('list machines', context.timings.step, driver.leftovers()));
    } catch (failure) {
      context.deps.logger.error('cannot list what a driver left', { driver: driver.name, failure });
    }
  }
  return held;
}

/** The record with what is true now. */
async function observe(
  context: Context,
  record: VpsRecord,
  volumes: ReadonlySet<string>,
  held: ReadonlyMap<Driver, readonly string[]>,
): Promise<VpsRecord> {
  const { deps } = context;
  const driver = deps.drivers.get(record.technique);
  const volume = volumes.has(record.id)
    ? record.observed.volume === 'filled'
      ? 'filled'
      : 'partial'
    : 'none';
  const network = 'none' as const;
  const bare = { ...record.observed, volume, network } as const;
  if (driver === undefined) return { ...record, observed: bare };
  const { runtime } = record;
  const machine = machineOf(context, record);
  if (runtime !== null && runtime.bootId === deps.host().bootId) {
    try {
      const condition = await bounded(
        'find a machine again',
        context.timings.question,
        driver.recover(machine, runtime.handle),
      );
      if (condition === 'running' || condition === 'paused') {
        return adopt(context, record, {
          ...bare,
          machine: condition,
          network: deps.networked ? 'connected' : 'none',
        });
      }
    } catch (failure) {
      const why = failure instanceof Error ? failure.message : String(failure);
      deps.logger.error('cannot find a machine again', { vps: record.id, failure });
      return { ...record, message: why, runtime: null, observed: { ...bare, machine: 'remains' } };
    }
  }
  const remains = runtime !== null || record.observed.machine !== 'none';
  const stillHeld = held.get(driver)?.includes(record.id) ?? true;
  return {
    ...record,
    runtime: null,
    startedAt: null,
    health: 'unknown',
    observed: { ...bare, machine: remains || stillHeld ? 'remains' : 'none' },
  };
}

/** A machine that an earlier daemon started, and perhaps did not live to record. */
function adopt(context: Context, record: VpsRecord, observed: VpsRecord['observed']): VpsRecord {
  if (record.startedAt !== null) return { ...record, observed };
  const asks = context.deps.drivers.get(record.technique)?.health !== undefined;
  return { ...record, observed, startedAt: now(context), health: asks ? 'starting' : 'unknown' };
}

/** Goes on with unfinished tasks; a VPS without one is brought to rest where it is. */
async function takeUp(context: Context, before: ReadonlyMap<string, VpsRecord>): Promise<void> {
  const { state, tasks } = context;
  const unfinished = [...state.tasks.values()].filter((task) => task.state === 'running');
  const taken = new Set<string>();
  for (const task of unfinished) {
    const record = task.vps === null ? undefined : state.vps.get(task.vps);
    const run = tasks.create(
      { kind: task.kind, project: task.project, target: task.target, vps: task.vps },
      task,
    );
    if (record === undefined || !task.begun || taken.has(record.id)) {
      await tasks.end(run, interruption(task), []);
      continue;
    }
    run.begun = true;
    taken.add(record.id);
    context.queue
      .run(record.id, () => pursue(context, record.id, run))
      .catch((failure: unknown) => context.deps.logger.error('task broke off', { task: run.id, failure }));
  }
  for (const record of [...state.vps.values()]) {
    if (taken.has(record.id)) continue;
    try {
      await settle(context, record, before.get(record.id) ?? record);
    } catch (failure) {
      context.deps.logger.error('cannot bring a VPS to rest', { vps: record.id, failure });
    }
  }
}

async function settle(context: Context, record: VpsRecord, before: VpsRecord): Promise<void> {
  const { observed } = record;
  if (isAlive(observed.machine)) {
    if (record.state !== observed.machine) {
      const state = observed.machine === 'paused' ? 'paused' : 'running';
      await context.state.commit([context.state.vps.put({ ...record, state, goal: state, message: '' })]);
    }
    watch(context, record.id);
    return;
  }
  const wasAlive = isAlive(before.observed.machine);
  const rebooted = before.runtime !== null && before.runtime.bootId !== context.deps.host().bootId;
  if (wasAlive && rebooted) return startAgain(context, record);
  if (observed.machine === 'none' && !wasAlive && record.state === 'stopped') return;
  if (observed.machine === 'none' && !wasAlive && record.state === 'error') return;
  const lost = record.message !== '' && record.message !== before.message;
  await operate(context, record, {
    kind: 'vps.ended',
    event: lost ? 'failed' : 'exited',
    patch: (current) => ({
      goal: 'stopped',
      bounce: false,
      shutdownMs: 0,
      message: wasAlive && !lost ? 'It ended while the daemon did not run.' : current.message,
    }),
  });
}

/** The host was restarted under a VPS that ran: it is wanted running still. */
async function startAgain(context: Context, record: VpsRecord): Promise<void> {
  const wanted = { ...record, state: 'stopped', message: 'The host was restarted.' } as const;
  context.state.vps.set(wanted);
  await operate(context, wanted, {
    kind: 'vps.start',
    event: 'start',
    patch: () => ({ goal: record.goal === 'paused' ? 'paused' : 'running', bounce: false }),
  });
}

const interruption = (task: TaskRecord): MullionError =>
  new MullionError('cancelled', 'The daemon ended before this was done.', {
    remedy:
      task.kind === 'image.build'
        ? 'Run the same build again: it resumes'
        : 'Ask for it again if it is still wanted',
    details: { task: task.id },
  });
