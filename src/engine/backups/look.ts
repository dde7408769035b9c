import { asMullionError, MullionError } from '../../contract/errors.ts';
import type { Context } from '../context.ts';
import type { RepositoryRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';

/** Longest that a repository is looked at; a large one that is not through by then has shown no damage. */
const LOOK_MS = 20_000;
/** Longest that damage is looked for once more, the wait for other programs included. */
const CONFIRM_MS = 60_000;

type Deps = Pick<Context, 'deps'>;

/**
 * Whether a repository answers and has what it should have, as far as a short look shows. What is missing may be what
 * another program is about to replace, so damage is believed when nothing else works on the repository.
 * @throws backup_damaged; in_use (it seems to be damaged, and others work on it); and others
 */
export async function lookAt(
  { deps }: Deps,
  repository: RepositoryRecord,
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(LOOK_MS);
  try {
    await deps.backups.check(repository, AbortSignal.any([signal, late]));
  } catch (thrown) {
    if (late.aborted && !signal.aborted) return;
    if (asMullionError(thrown).code !== 'backup_damaged') throw thrown;
    await confirm({ deps }, repository, signal, thrown);
  }
}

async function confirm(
  { deps }: Deps,
  repository: RepositoryRecord,
  signal: AbortSignal,
  cause: unknown,
): Promise<void> {
  const late = AbortSignal.timeout(CONFIRM_MS);
  try {
    await deps.backups.check(repository, AbortSignal.any([signal, late]), true);
  } catch (thrown) {
    const isBusy = late.aborted || asMullionError(thrown).code === 'in_use';
    if (signal.aborted || !isBusy) throw thrown;
    throw new MullionError(
      'in_use',
      `The repository ${repository.url} seems to have lost data, and other programs work on it: what is missing may be what they replace.`,
      { remedy: 'Look again when they have ended: mullion doctor', cause },
    );
  }
}

/** After a backup: what is new was saved, what was there before is relied on. @throws backup_damaged */
export async function requireReliable(
  context: Context,
  repository: RepositoryRecord,
  run: TaskRun,
): Promise<void> {
  try {
    await lookAt(context, repository, run.signal);
  } catch (cause) {
    const { code, message, remedy } = asMullionError(cause);
    if (code === 'in_use') return run.warn(message);
    if (code !== 'backup_damaged') throw cause;
    throw new MullionError(code, `The backup was written, but it cannot be relied on: ${message}`, {
      remedy,
      cause,
    });
  }
}
