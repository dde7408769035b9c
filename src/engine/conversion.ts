import { MullionError } from '../contract/errors.ts';
import { bounded, pause } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import { lastLines } from './last-lines.ts';
import { machineOf } from './machine.ts';
import type { ConvertErrand, VpsRecord } from './records.ts';
import { goThrough, reach, saveProgress } from './run-plan.ts';
import { Interrupted, type TaskRun } from './task-run.ts';

/** Begins the name of a snapshot that keeps the data of a VPS as it was before a conversion. Users' names have no "_". */
export const KEPT_PREFIX = 'conversion_';

const LOOK_MS = 500;

/**
 * Converts a VPS and boots it. What it was is kept until the new one has booted; when anything fails, it is that again.
 * Safe to begin anew after the daemon was killed at any point.
 */
export async function runConversion(context: Context, id: string, run: TaskRun): Promise<void> {
  const errand = errandOf(context, id);
  if (errand === undefined) return;
  try {
    if (recordOf(context, id).technique !== errand.technique) {
      await goThrough(context, id, errand, run);
      await saveProgress(context, id, run);
    }
    await reach(context, id, 'running', run);
    await run.part('wait until it has booted', () => awaitBoot(context, id, run.signal));
  } catch (failure) {
    if (failure instanceof Interrupted) throw failure;
    await takeBack(context, id, errand, run);
    throw failure;
  }
  await context.deps.pool.deleteSnapshot(id, errand.kept);
  update(context, id, { errand: null });
  await saveProgress(context, id, run);
}

/** The VPS as it was, with its former technique and data, where it was wanted. */
async function takeBack(context: Context, id: string, errand: ConvertErrand, run: TaskRun): Promise<void> {
  const { pool } = context.deps;
  const whatever = new AbortController().signal;
  update(context, id, { shutdownMs: 0 });
  await reach(context, id, 'stopped', run, whatever);
  if ((await pool.listSnapshots(id)).includes(errand.kept)) await pool.restoreSnapshot(id, errand.kept);
  const { technique, reason } = errand.former;
  const { observed } = recordOf(context, id);
  update(context, id, {
    technique,
    reason,
    driver: requireDriver(context, technique).name,
    errand: null,
    observed: { ...observed, volumeLimit: undefined },
  });
  await saveProgress(context, id, run);
  await pool.deleteSnapshot(id, errand.kept);
  await reach(context, id, recordOf(context, id).goal, run, whatever);
}

/** Until the guest's own system answers. @throws start_failed when it ends before, timeout */
async function awaitBoot(context: Context, id: string, signal: AbortSignal): Promise<void> {
  const record = recordOf(context, id);
  const driver = requireDriver(context, record.technique);
  const { runtime } = record;
  if (runtime === null || driver.health === undefined) return;
  const machine = machineOf(context, record);
  const { handle } = runtime;
  const until = performance.now() + context.timings.health;
  for (;;) {
    signal.throwIfAborted();
    const ask = driver.health.isReady(machine, handle);
    if (await bounded('answer', context.timings.question, ask).catch(() => false)) return;
    const condition = await bounded(
      'find it',
      context.timings.question,
      driver.recover(machine, handle),
    ).catch(() => 'running' as const);
    const over = performance.now() > until;
    if (condition === 'gone' || over) {
      throw new MullionError(
        'start_failed',
        `The VPS ${record.name} ${over ? 'did not boot in time' : 'ended while it booted'} as ${record.technique}.`,
        {
          remedy:
            'It is again what it was before; the last lines of its console stand in the details (--json)',
          details: { log: await lastLines(context, record) },
        },
      );
    }
    await pause(LOOK_MS, signal);
  }
}

function errandOf(context: Context, id: string): ConvertErrand | undefined {
  const { errand } = recordOf(context, id);
  return errand?.kind === 'convert' ? errand : undefined;
}

function recordOf(context: Context, id: string): VpsRecord {
  const record = context.state.vps.get(id);
  if (record === undefined) throw new MullionError('not_found', 'The VPS is gone.');
  return record;
}

const update = (context: Context, id: string, patch: Partial<VpsRecord>): void =>
  context.state.vps.set({ ...recordOf(context, id), ...patch });
