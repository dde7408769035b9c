import { MullionError } from '../contract/errors.ts';
import type { Driver, Handle, Machine } from '../drivers/driver.ts';
import { bounded, pause } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import type { VpsRecord } from './records.ts';

/** A machine that was let go on without room stands still again well within this. */
const SETTLE_MS = 300;
const LONGEST_WAITS = 4;
const REASON = 'the pool is full';
const ROOM =
  'Make room in the pool: mullion pool grow default SIZE, or delete something; it goes on by itself then';

/** Whether it stands still for want of room; one that somebody paused does so for that reason. */
export const isStalled = ({ stalls }: Context, { id, observed }: VpsRecord): boolean =>
  stalls.has(id) && observed.machine === 'running';

/** For people; empty for a VPS that does not stand still. */
export const stallText = (context: Context, record: VpsRecord): string =>
  isStalled(context, record) ? `It stands still, as ${REASON}; nothing of it is lost. ${ROOM}.` : '';

/** For what a guest would have to answer. @throws guest_unresponsive while it stands still */
export function requireRoomToAnswer(context: Context, record: VpsRecord): void {
  if (!isStalled(context, record)) return;
  throw new MullionError('guest_unresponsive', `The VPS ${record.name} stands still, as ${REASON}.`, {
    remedy: ROOM,
  });
}

/** Whether a machine that its driver calls paused was not paused by anybody. */
export const standsWithoutRoom = async (
  driver: Driver,
  { observed }: VpsRecord,
  machine: Machine,
  handle: Handle,
): Promise<boolean> =>
  observed.machine === 'running' && (await driver.stall?.isStalled(machine, handle)) === true;

/**
 * Sees to a machine whenever it stands still because the pool has no room for what it writes: says so, and has it try again,
 * less and less often, until it goes on. Ends when the signal aborts.
 */
export function followStalls(
  context: Context,
  id: string,
  machine: Machine,
  handle: Handle,
  signal: AbortSignal,
): void {
  const { stall } = requireDriver(context, machine.technique);
  if (stall === undefined) return;
  let called = false;
  let following = false;
  let wake = new AbortController();
  const rest = (ms: number): Promise<void> => {
    wake = new AbortController();
    return pause(ms, AbortSignal.any([signal, wake.signal]));
  };
  const look = async (): Promise<void> => {
    called = true;
    if (following) {
      // One that has gone on by itself is not left waiting.
      if ((await ask(context, machine, handle)) === false) wake.abort();
      return;
    }
    following = true;
    while (called && !signal.aborted) {
      called = false;
      await seeThrough(context, id, machine, handle, signal, rest);
    }
    following = false;
  };
  const stopListening = stall.onStall(machine, handle, () => void look());
  const end = (): void => {
    stopListening();
    context.stalls.delete(id);
  };
  signal.addEventListener('abort', end, { once: true });
  void look();
}

/** Never throws. `rest` waits, or until there is something to see. */
async function seeThrough(
  context: Context,
  id: string,
  machine: Machine,
  handle: Handle,
  signal: AbortSignal,
  rest: (ms: number) => Promise<void>,
): Promise<void> {
  const { retry } = context.timings;
  for (let wait = retry; !signal.aborted; wait = Math.min(2 * wait, LONGEST_WAITS * retry)) {
    const stands = await ask(context, machine, handle);
    if (stands === false || signal.aborted) break;
    if (stands) tell(context, id, true);
    await rest(wait);
    if (stands && (await tryAgain(context, id, machine, handle, signal))) await rest(SETTLE_MS);
  }
  if (!signal.aborted) tell(context, id, false);
}

/** Undefined when that cannot be learnt now. */
const ask = (context: Context, machine: Machine, handle: Handle): Promise<boolean | undefined> => {
  const { stall } = requireDriver(context, machine.technique);
  const answer = stall?.isStalled(machine, handle) ?? Promise.resolve(false);
  return bounded('say whether it stands still', context.timings.question, answer).catch(() => undefined);
};

/** Between operations on the VPS; whether it did. */
const tryAgain = (
  context: Context,
  id: string,
  machine: Machine,
  handle: Handle,
  signal: AbortSignal,
): Promise<boolean> =>
  context.queue.run(id, async () => {
    const { stall } = requireDriver(context, machine.technique);
    // What somebody paused meanwhile stays so.
    if (signal.aborted || context.state.vps.get(id)?.observed.machine !== 'running') return false;
    if (stall === undefined) return false;
    try {
      await bounded('go on', context.timings.step, stall.retry(machine, handle));
      return true;
    } catch (failure) {
      context.deps.logger.warn('cannot let a machine go on', { vps: id, failure });
      return false;
    }
  });

function tell(context: Context, id: string, stalled: boolean): void {
  const { stalls, state, events } = context;
  const record = state.vps.get(id);
  if (record === undefined || stalls.has(id) === stalled) return;
  if (stalled) stalls.add(id);
  else stalls.delete(id);
  const data = stalled ? { health: 'degraded', reason: REASON } : { health: record.health };
  events.emit('vps.health', record.project, record.name, data);
}
