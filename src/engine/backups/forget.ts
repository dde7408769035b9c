import type { Choice, SavedFolder } from '../../backup/backup.ts';
import type { Retention } from '../../contract/backups.ts';
import type { Task } from '../../contract/tasks.ts';
import { expired } from '../../core/retention.ts';
import type { Context } from '../context.ts';
import { startTask } from '../node-task.ts';
import type { RepositoryRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';
import { type FoundBackup, isBackup, KIND, viewBackup } from './found.ts';
import { repositoryQueue } from './repositories.ts';

const YOUNG_MS = 24 * 60 * 60 * 1000;

export function startDelete(context: Context, project: string, found: FoundBackup): Promise<Task> {
  const { id, vps } = viewBackup(found);
  const subject = { kind: 'backup.delete', project, target: id, vps: null };
  return startTask(context, repositoryQueue(found.repository), subject, async (run) => {
    await forget(context, found.repository, [found.saved.id], run);
    context.events.emit('backup.removed', project, vps, { backup: id, task: run.id });
  });
}

/** Deletes what the rules no longer keep of the backups that a VPS's schedule made. */
export async function applyRetention(
  context: Context,
  repository: RepositoryRecord,
  vps: string,
  keep: Retention,
  run: TaskRun,
): Promise<void> {
  const all = await context.deps.backups.list(repository, run.signal);
  const own = all.filter(
    (saved) => isBackup(saved) && saved.labels.vps === vps && saved.labels.schedule === 'yes',
  );
  const gone = expired(own, keep);
  if (gone.length > 0) await forget(context, repository, gone, run);
}

/** Forgets backups, and images that none of those left needs. */
async function forget(
  context: Context,
  repository: RepositoryRecord,
  ids: readonly string[],
  run: TaskRun,
): Promise<void> {
  const withUnneeded: Choice = (all) => {
    const left = all.filter(({ id }) => !ids.includes(id));
    return [...ids, ...unneededImages(left, context.clock())];
  };
  await run.part('delete, and free what only this held', () =>
    context.deps.backups.forget(repository, withUnneeded, run.signal),
  );
}

/** A backup that some host makes may need a young image, and be saved only later. */
export function unneededImages(all: readonly SavedFolder[], now: Date): string[] {
  const needed = new Set(all.filter(isBackup).map(({ labels }) => labels.imageSaved));
  const isOld = ({ createdAt }: SavedFolder): boolean => now.getTime() - Date.parse(createdAt) > YOUNG_MS;
  return all
    .filter((saved) => saved.labels.kind === KIND.image && isOld(saved) && !needed.has(saved.id))
    .map(({ id }) => id);
}
