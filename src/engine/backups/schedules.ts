import type { Schedule, SetScheduleRequest } from '../../contract/backups.ts';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import { dueSlot, nextRun } from '../../core/backup-schedule.ts';
import { type Context, now } from '../context.ts';
import type { BackupVerbs } from '../contract.ts';
import type { ScheduleRecord, VpsRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';
import { backupCondition, rulesOf } from './condition.ts';
import { startBackup } from './create.ts';
import { applyRetention } from './forget.ts';
import { requireRepository } from './repositories.ts';

type ScheduleVerbs = Pick<BackupVerbs, 'schedule' | 'setSchedule' | 'removeSchedule'>;

export function scheduleVerbs(context: Context): ScheduleVerbs {
  const { state } = context;
  return {
    async schedule(project, vps) {
      return view(context, requireSchedule(context, state.requireVps(project, vps)));
    },
    async setSchedule(project, vps, request) {
      const { id } = state.requireVps(project, vps);
      const record = recordOf(context, id, project, request);
      await state.commit([state.schedules.put(record)]);
      return view(context, record);
    },
    async removeSchedule(project, vps) {
      const record = requireSchedule(context, state.requireVps(project, vps));
      await state.commit([state.schedules.drop(record)]);
    },
  };
}

/** Looks at the schedules from now on until the engine closes; at once too, as runs may have been missed. */
export function watchSchedules(context: Context): void {
  const underWay = new Set<string>();
  const look = (): void => {
    for (const record of [...context.state.schedules.values()]) {
      if (underWay.has(record.id)) continue;
      underWay.add(record.id);
      runWhenDue(context, record)
        .catch((failure: unknown) =>
          context.deps.logger.error('a scheduled backup broke off', { vps: record.id, failure }),
        )
        .finally(() => underWay.delete(record.id));
    }
  };
  const timer = setInterval(look, context.timings.schedule).unref();
  context.closing.addEventListener('abort', () => clearInterval(timer), { once: true });
  look();
}

/** Settles when the run has ended; at once when none is owed. */
async function runWhenDue(context: Context, record: ScheduleRecord): Promise<void> {
  const { state } = context;
  const vps = state.vps.get(record.id);
  if (vps === undefined) {
    await state.commit([state.schedules.drop(record)]);
    return;
  }
  const slot = dueSlot(rulesOf(record), context.clock());
  if (slot === undefined || vps.observed.volume !== 'filled') return;
  const repository = state.repositories.get(record.repository);
  try {
    if (repository === undefined) throw new MullionError('not_found', 'The backup repository is gone.');
    const ended = Promise.withResolvers<unknown>();
    await startBackup(context, repository, vps, true, async (run, failure) => {
      ended.resolve(failure ?? (await thinOut(context, record.id, run)));
    });
    const failure = await ended.promise;
    if (failure !== undefined) throw failure;
    await note(context, vps, slot, undefined);
  } catch (failure) {
    // What the daemon's own end cut short is owed still.
    if (context.closing.aborted) return;
    await note(context, vps, slot, asMullionError(failure).message);
  }
}

/** Retention after a good backup; its failure is the run's. */
async function thinOut(context: Context, vps: string, run: TaskRun): Promise<unknown> {
  const record = context.state.schedules.get(vps);
  const repository = context.state.repositories.get(record?.repository ?? '');
  if (record === undefined || repository === undefined) return undefined;
  try {
    await applyRetention(context, repository, vps, record.keep, run);
    return undefined;
  } catch (failure) {
    run.warn(`Old backups were not deleted: ${asMullionError(failure).message}`);
    return failure ?? new TypeError('nothing was thrown');
  }
}

async function note(
  context: Context,
  vps: VpsRecord,
  slot: Date,
  failure: string | undefined,
): Promise<void> {
  const { state, events } = context;
  const current = state.schedules.get(vps.id);
  if (current === undefined) return;
  const at = now(context);
  const result = failure === undefined ? { lastSuccessAt: at } : { lastFailure: { at, message: failure } };
  await state.commit([state.schedules.put({ ...current, lastSlot: slot.toISOString(), ...result })]);
  events.emit(failure === undefined ? 'backup.scheduled' : 'backup.failed', vps.project, vps.name, {
    id: vps.id,
    due: slot.toISOString(),
    ...(failure === undefined ? {} : { message: failure }),
  });
}

/** @throws not_found */
function requireSchedule(context: Context, { id, name }: VpsRecord): ScheduleRecord {
  const record = context.state.schedules.get(id);
  if (record !== undefined) return record;
  throw new MullionError('not_found', `The VPS ${name} has no backup schedule.`, {
    remedy: `Set one with: mullion backup schedule set ${name} --at "daily 02:00"`,
    details: { name },
  });
}

function recordOf(
  context: Context,
  id: string,
  project: string,
  { at, repository, keep, jitter }: SetScheduleRequest,
): ScheduleRecord {
  const before = context.state.schedules.get(id);
  const target = requireRepository(context, project, repository);
  return {
    id,
    repository: target.id,
    at,
    keep,
    jitter,
    setAt: now(context),
    lastSlot: null,
    lastSuccessAt: before?.lastSuccessAt ?? null,
    lastFailure: null,
  };
}

function view(context: Context, record: ScheduleRecord): Schedule {
  return {
    vps: context.state.vps.get(record.id)?.name ?? '',
    repository: context.state.repositories.get(record.repository)?.name ?? '',
    at: record.at,
    keep: record.keep,
    jitter: record.jitter,
    condition: backupCondition(context, record.id),
    nextAt: nextRun(rulesOf(record), context.clock()).toISOString(),
    lastSuccessAt: record.lastSuccessAt,
    lastFailure: record.lastFailure,
  };
}
