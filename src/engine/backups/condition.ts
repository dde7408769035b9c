import type { BackupCondition } from '../../contract/backups.ts';
import { conditionOf, type Schedule } from '../../core/backup-schedule.ts';
import type { Context } from '../context.ts';
import type { ScheduleRecord } from '../records.ts';

/** A schedule in the words of its rules. */
export const rulesOf = (record: ScheduleRecord): Schedule => ({
  id: record.id,
  at: record.at,
  jitter: record.jitter,
  since: new Date(record.setAt),
  lastSlot: dateOf(record.lastSlot),
});

/** How the scheduled backups of a VPS do. */
export function backupCondition(context: Context, vps: string): BackupCondition {
  const record = context.state.schedules.get(vps);
  if (record === undefined) return 'none';
  const results = {
    since: new Date(record.setAt),
    lastSuccess: dateOf(record.lastSuccessAt),
    lastFailure: dateOf(record.lastFailure?.at ?? null),
  };
  return conditionOf(rulesOf(record), results, context.clock());
}

const dateOf = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));
