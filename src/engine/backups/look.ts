import { asMullionError, MullionError } from '../../contract/errors.ts';
import type { Context } from '../context.ts';
import type { RepositoryRecord } from '../records.ts';

/** Longest that a repository is looked at; a large one that is not through by then has shown no damage. */
const LOOK_MS = 20_000;

/** Whether a repository answers and has what it should have, as far as a short look shows. @throws backup_damaged and others */
export async function lookAt(
  { deps }: Pick<Context, 'deps'>,
  repository: RepositoryRecord,
  signal: AbortSignal,
): Promise<void> {
  const late = AbortSignal.timeout(LOOK_MS);
  try {
    await deps.backups.check(repository, AbortSignal.any([signal, late]));
  } catch (thrown) {
    if (!late.aborted || signal.aborted) throw thrown;
  }
}

/** After a backup: what is new was saved, what was there before is relied on. @throws backup_damaged */
export async function requireReliable(
  context: Context,
  repository: RepositoryRecord,
  signal: AbortSignal,
): Promise<void> {
  try {
    await lookAt(context, repository, signal);
  } catch (cause) {
    const { code, message, remedy } = asMullionError(cause);
    if (code !== 'backup_damaged') throw cause;
    throw new MullionError(code, `The backup was written, but it cannot be relied on: ${message}`, {
      remedy,
      cause,
    });
  }
}
