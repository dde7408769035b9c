import { type AuditEntry, AuditEntrySchema } from '../contract/audit.ts';
import type { Context } from './context.ts';
import type { AuditVerbs } from './contract.ts';

/** Counter of tasks that ended. */
export const TASKS = 'mullion_tasks_total';
/** Longest of what a client may have made up. */
const TEXT = 200;
/** Ends of tasks, by the type of their event. */
const ENDS = new Set(['task.done', 'task.failed', 'task.cancelled']);

export function auditVerbs(context: Context): AuditVerbs {
  return {
    record: (entry) => record(context, entry),
    async list(lines) {
      const texts = await context.deps.audit.tail(lines);
      return texts.flatMap((text) => {
        const parsed = AuditEntrySchema.safeParse(parse(text));
        return parsed.success ? [parsed.data] : [];
      });
    },
  };
}

/** What began as a task is counted and written down again when it ends. Until the engine closes. */
export async function recordTaskEnds(context: Context): Promise<void> {
  for await (const { type, project, target, data } of context.events.subscribe({}, context.closing)) {
    if (!ENDS.has(type)) continue;
    const { task, kind, error } = data;
    const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : 'done';
    context.counters.add(TASKS, { kind: String(kind), outcome: code });
    record(context, {
      who: 'mullion',
      from: 'task',
      verb: String(kind),
      project,
      object: target,
      outcome: code,
      task: String(task),
    });
  }
}

/** A log that cannot be written stops no work; the daemon's log says so. */
function record(context: Context, entry: Omit<AuditEntry, 'time'>): void {
  const { who, from, verb, project, object, outcome, task } = entry;
  const line: AuditEntry = {
    time: context.clock().toISOString(),
    who,
    from,
    verb,
    project: project.slice(0, TEXT),
    object: object.slice(0, TEXT),
    outcome,
    ...(task === undefined ? {} : { task }),
  };
  try {
    context.deps.audit.append(JSON.stringify(line));
  } catch (failure) {
    context.deps.logger.error('the audit log cannot be written', { failure });
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
