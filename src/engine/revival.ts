import { asMullionError } from '../contract/errors.ts';
import { revivalAfter } from '../core/restart-policy.ts';
import type { MachineEnd } from '../drivers/driver.ts';
import { requireRoomForVps } from './capacity-check.ts';
import type { Context } from './context.ts';
import { lastLines } from './last-lines.ts';
import { enter, operate } from './operate.ts';
import type { VpsRecord } from './records.ts';

/** Longest that a timer of Node can wait (setTimeout). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Clears up after a machine that ended by itself: at rest when the guest switched off or restarts, in error with its
 * last words when it died. When the policy says so, the next start is due, which is as durable as the end.
 */
export async function concludeEnd(
  context: Context,
  record: VpsRecord,
  end: MachineEnd,
  stillWanted: (record: VpsRecord) => boolean,
): Promise<void> {
  const died = end.kind === 'died';
  const lastWords = died ? await lastLines(context, record) : [];
  const nowMs = context.clock().getTime();
  const ranMs = record.startedAt === null ? 0 : nowMs - Date.parse(record.startedAt);
  await operate(context, record, {
    kind: 'vps.ended',
    event: died ? 'died' : 'exited',
    stillWanted,
    patch: ({ observed, restart, revival }) => ({
      goal: 'stopped',
      bounce: false,
      shutdownMs: 0,
      message: sentence(end.reason),
      lastWords,
      observed: { ...observed, machine: observed.machine === 'none' ? 'none' : 'remains' },
      revival: revivalAfter(end.kind, restart, revival, ranMs, nowMs),
    }),
    afterwards: () => awaitRevival(context, record.id),
  });
}

/** Starts a VPS when its next start is due, unless someone else did something with it before. */
export function awaitRevival(context: Context, id: string): void {
  const due = context.state.vps.get(id)?.revival.due;
  context.revivals.get(id)?.();
  context.revivals.delete(id);
  if (due == null || context.closing.aborted) return;
  const wait = Math.min(Math.max(0, Date.parse(due) - context.clock().getTime()), LONGEST_TIMER_MS);
  const timer = setTimeout(() => {
    context.revivals.delete(id);
    revive(context, id, due).catch(async (failure: unknown) => {
      context.deps.logger.error('cannot start a VPS again', { vps: id, failure });
      const message = `It could not be started again: ${asMullionError(failure).message}`;
      enter(context, id, 'error', { message });
      await tryLater(context, id);
    });
  }, wait);
  timer.unref();
  context.revivals.set(id, () => clearTimeout(timer));
}

const sentence = (reason: string): string => `${reason.charAt(0).toUpperCase()}${reason.slice(1)}.`;

async function revive(context: Context, id: string, due: string): Promise<void> {
  const record = context.state.vps.get(id);
  if (record?.revival.due !== due || context.closing.aborted) return;
  requireRoomForVps(context, record);
  await operate(context, record, {
    kind: 'vps.start',
    event: 'start',
    stillWanted: ({ revival }) => revival.due === due,
    patch: ({ revival }) => ({ goal: 'running', bounce: false, revival: { ...revival, due: null } }),
    afterwards: () => void tryLater(context, id),
  });
}

/** A start by itself that failed counts as an end: what was missing may be there next time. Never throws. */
async function tryLater(context: Context, id: string): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined || record.state !== 'error' || record.revival.count === 0) return;
  const revival = revivalAfter('died', record.restart, record.revival, 0, context.clock().getTime());
  const operation = context.state.vps.put({ ...record, revival });
  awaitRevival(context, id);
  try {
    await context.state.commit([operation]);
  } catch (failure) {
    context.deps.logger.error('cannot record when a VPS is started again', { vps: id, failure });
  }
}
