import { asMullionError, MullionError } from '../contract/errors.ts';
import { isAlive } from '../core/plan.ts';
import type { Condition, Driver, Handle, MachineEnd } from '../drivers/driver.ts';
import { bounded } from './bounded.ts';
import { type Context, now } from './context.ts';
import { watch } from './exit-watch.ts';
import { applyFirewall } from './firewall-rules.ts';
import { removeLeftovers } from './leftovers.ts';
import { attachmentOf, machineOf } from './machine.ts';
import { operate, pursue } from './operate.ts';
import type { TaskRecord, VpsRecord } from './records.ts';
import { awaitRevival, concludeEnd } from './revival.ts';
import { standsWithoutRoom } from './stall.ts';

const ATTEMPTS = 3;
/** The boot of the host that a daemon last saw. */
const BOOT_KEY = 'node/boot';

/**
 * After a start of the daemon: finds the machines that still run, makes the network match them, removes what nobody
 * owns, and goes on with the tasks that an earlier daemon left.
 */
export async function recover(context: Context): Promise<void> {
  const { state, deps } = context;
  const records = [...state.vps.values()];
  const present = await context.deps.pool.listVolumes();
  const held = await heldMachines(context);
  const sights = await Promise.all(records.map((record) => observe(context, record, new Set(present), held)));
  for (const { after } of sights) state.vps.set(after);
  if (deps.networked) {
    const attached = sights.filter(({ after }) => after.observed.network !== 'none');
    await bounded(
      'set up the networks',
      context.timings.step,
      deps.network.sync({
        networks: [...state.networks.values()],
        attachments: attached.flatMap(({ after }) => attachmentOf(context, after) ?? []),
      }),
    );
    await applyFirewall(context);
  }
  await removeLeftovers(context, present, held);
  const rebooted = await hostRestarted(context);
  await takeUp(context, sights, rebooted);
  await context.state.commit([{ type: 'put', key: BOOT_KEY, value: context.bootId }]);
}

/** Whether the host was restarted since a daemon last started on it. */
async function hostRestarted(context: Context): Promise<boolean> {
  const seen = (await context.state.store.get(BOOT_KEY))?.value;
  return typeof seen === 'string' && seen !== context.bootId;
}

/** A VPS as it was recorded and as it is now. */
interface Sight {
  readonly before: VpsRecord;
  readonly after: VpsRecord;
  /** Whether its machine runs could not be told: nothing of it is touched until someone asks. */
  readonly unsure: boolean;
}

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

/** What is true now. */
async function observe(
  context: Context,
  record: VpsRecord,
  volumes: ReadonlySet<string>,
  held: ReadonlyMap<Driver, readonly string[]>,
): Promise<Sight> {
  const { deps } = context;
  const driver = deps.drivers.get(record.technique);
  const volume = volumes.has(record.id)
    ? record.observed.volume === 'filled'
      ? 'filled'
      : 'partial'
    : 'none';
  const bare = { ...record.observed, volume, network: 'none' } as const;
  const sight = (after: VpsRecord, unsure = false): Sight => ({ before: record, after, unsure });
  if (driver === undefined) return sight({ ...record, observed: bare }, true);
  const { runtime } = record;
  const network = deps.networked && record.isolated !== true ? 'connected' : 'none';
  if (runtime !== null && runtime.bootId === context.bootId) {
    try {
      const condition = await conditionOf(context, driver, record, runtime.handle);
      if (isAlive(condition)) {
        return sight(adopt(context, record, { ...bare, machine: condition, network }));
      }
    } catch (failure) {
      deps.logger.error('cannot find a machine again', { vps: record.id, failure });
      const why = `Its machine could not be found again: ${asMullionError(failure).message}`;
      const observed = { ...bare, machine: 'remains', network } as const;
      return sight({ ...record, state: 'error', message: why, observed }, true);
    }
  }
  const remains = runtime !== null || record.observed.machine !== 'none';
  const stillHeld = held.get(driver)?.includes(record.id) ?? true;
  return sight({
    ...record,
    runtime: null,
    startedAt: null,
    health: 'unknown',
    observed: { ...bare, machine: remains || stillHeld ? 'remains' : 'none' },
  });
}

/** Asks more than once: to take a machine for lost that runs would be worse than to wait. */
async function conditionOf(
  context: Context,
  driver: Driver,
  record: VpsRecord,
  handle: Handle,
): Promise<Condition> {
  for (let attempt = 1; ; attempt++) {
    try {
      const machine = machineOf(context, record);
      const ask = async (): Promise<Condition> => {
        const condition = await driver.recover(machine, handle);
        const runs = condition === 'paused' && (await standsWithoutRoom(driver, record, machine, handle));
        return runs ? 'running' : condition;
      };
      return await bounded('find a machine again', context.timings.question, ask());
    } catch (failure) {
      if (attempt === ATTEMPTS) throw failure;
    }
  }
}

/** A machine that an earlier daemon started, and perhaps did not live to record. */
function adopt(context: Context, record: VpsRecord, observed: VpsRecord['observed']): VpsRecord {
  if (record.startedAt !== null) return { ...record, observed };
  const asks = context.deps.drivers.get(record.technique)?.health !== undefined;
  return { ...record, observed, startedAt: now(context), health: asks ? 'starting' : 'unknown' };
}

/** Goes on with unfinished tasks; a VPS without one is brought to rest where it is. */
async function takeUp(context: Context, sights: readonly Sight[], rebooted: boolean): Promise<void> {
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
  for (const sight of sights) {
    if (taken.has(sight.after.id) || sight.unsure) continue;
    try {
      await settle(context, sight, rebooted);
    } catch (failure) {
      context.deps.logger.error('cannot bring a VPS to rest', { vps: sight.after.id, failure });
    }
  }
}

async function settle(context: Context, { before, after }: Sight, hostRestarted: boolean): Promise<void> {
  const { machine } = after.observed;
  if (isAlive(machine)) {
    if (after.state !== machine) {
      const goal = machine === 'paused' ? 'paused' : 'running';
      const record = { ...after, state: goal, goal, message: '' } as const;
      await context.state.commit([context.state.vps.put(record)]);
    }
    watch(context, after.id);
    return;
  }
  const wasAlive = isAlive(before.observed.machine);
  const rebooted = before.runtime !== null && before.runtime.bootId !== context.bootId;
  if (wasAlive && rebooted) {
    return after.autostart === 'never' ? stayDown(context, after) : startAgain(context, after);
  }
  if (wasAlive) {
    const { kind, reason } = await endOf(context, before);
    const end = { kind, reason: `${reason}, while the daemon did not run` };
    return concludeEnd(context, after, end, () => true);
  }
  if (hostRestarted && after.autostart === 'always') return startAgain(context, after);
  awaitRevival(context, after.id);
  const atRest = after.state === 'stopped' || after.state === 'error';
  if (machine === 'none' && atRest) return;
  await operate(context, after, {
    kind: 'vps.ended',
    event: 'exited',
    patch: () => ({ goal: 'stopped', bounce: false, shutdownMs: 0 }),
  });
}

/** How a machine ended that nobody watched: its driver reads that from what it left. */
async function endOf(context: Context, record: VpsRecord): Promise<MachineEnd> {
  const driver = context.deps.drivers.get(record.technique);
  const unknown = { kind: 'died', reason: 'it ended' } as const;
  if (driver === undefined || record.runtime === null) return unknown;
  const { handle } = record.runtime;
  const told = Promise.withResolvers<MachineEnd>();
  const stop = driver.onExit(machineOf(context, record), handle, told.resolve);
  try {
    return await bounded('learn how a machine ended', context.timings.question, told.promise);
  } catch {
    return unknown;
  } finally {
    stop();
  }
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

/** The host was restarted under a VPS that is not to come back by itself. */
async function stayDown(context: Context, record: VpsRecord): Promise<void> {
  await operate(context, record, {
    kind: 'vps.ended',
    event: 'exited',
    patch: () => ({ goal: 'stopped', bounce: false, shutdownMs: 0, message: 'The host was restarted.' }),
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
