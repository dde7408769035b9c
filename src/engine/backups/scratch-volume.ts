import type { Context } from '../context.ts';

/** Begins the id of every volume that only lives as long as one task. */
const PREFIXES = ['backup-', 'publish-'] as const;

export interface ScratchVolume extends AsyncDisposable {
  readonly id: string;
  readonly path: string;
}

/** The name of a volume that is deleted when the scope ends, whether it was made or not. */
export async function scratchVolume(context: Context, id: string): Promise<ScratchVolume> {
  const { pool, logger } = context.deps;
  context.scratchVolumes.add(id);
  return {
    id,
    path: pool.volumePath(id),
    [Symbol.asyncDispose]: async () => {
      try {
        await pool.deleteVolume(id);
      } catch (failure) {
        logger.error('cannot delete a scratch volume', { volume: id, failure });
      } finally {
        context.scratchVolumes.delete(id);
      }
    },
  };
}

/** Deletes the volumes of tasks that a killed daemon left. */
export async function removeScratchVolumes(context: Context): Promise<void> {
  const { pool, logger } = context.deps;
  for (const id of await pool.listVolumes()) {
    if (!PREFIXES.some((prefix) => id.startsWith(prefix)) || context.scratchVolumes.has(id)) continue;
    try {
      await pool.deleteVolume(id);
      logger.info('removed the copy of a backup that was cut short', { volume: id });
    } catch (failure) {
      logger.error('cannot delete a scratch volume', { volume: id, failure });
    }
  }
}
