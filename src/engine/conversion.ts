import { MullionError } from '../contract/errors.ts';
import { bounded, pause } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import { Scope } from './executors/scope.ts';
import { lastLines } from './last-lines.ts';
import type { ConvertErrand } from './records.ts';
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
  const scope = new Scope(context, id, run.signal);
  const { errand } = scope.record;
  if (errand?.kind !== 'convert') return;
  try {
    if (scope.record.technique !== errand.technique) {
      await goThrough(context, id, errand, run);
      await saveProgress(context, id, run);
    }
    await reach(context, id, 'running', run);
    await run.part('wait until it has booted', () => awaitBoot(scope));
  } catch (failure) {
    if (failure instanceof Interrupted) throw failure;
    await takeBack(scope, errand, run);
    throw failure;
  }
  await context.deps.pool.deleteSnapshot(id, errand.kept);
  scope.update({ errand: null });
  await saveProgress(context, id, run);
}

/** The VPS as it was, with its former technique and data, where it was wanted. */
async function takeBack(scope: Scope, errand: ConvertErrand, run: TaskRun): Promise<void> {
  const { context, id } = scope;
  const { pool } = context.deps;
  const whatever = new AbortController().signal;
  scope.update({ shutdownMs: 0 });
  await reach(context, id, 'stopped', run, whatever);
  if ((await pool.listSnapshots(id)).includes(errand.kept)) await pool.restoreSnapshot(id, errand.kept);
  const { technique, reason } = errand.former;
  scope.update({
    technique,
    reason,
    driver: requireDriver(context, technique).name,
    errand: null,
    observed: { ...scope.record.observed, volumeLimit: undefined },
  });
  await saveProgress(context, id, run);
  await pool.deleteSnapshot(id, errand.kept);
  await reach(context, id, scope.record.goal, run, whatever);
}

/** Until the guest's own system answers. @throws start_failed when it ends before, timeout */
async function awaitBoot({ context, record, driver, machine, signal }: Scope): Promise<void> {
  if (record.runtime === null || driver.health === undefined) return;
  const { handle } = record.runtime;
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
