import { rm } from 'node:fs/promises';
import { vpsLogDirectory, vpsRunDirectory } from '../../core/naming.ts';
import { bounded } from '../bounded.ts';
import { provideParts } from '../images.ts';
import type { Executors, Scope } from './scope.ts';

/** Steps on a VPS's data. */
export const dataExecutors: Pick<
  Executors,
  'createVolume' | 'setVolumeLimit' | 'populate' | 'deleteVolume' | 'forget'
> = {
  createVolume: async (scope, { limit }) => {
    const { context, id } = scope;
    const possible = await withinPool(scope, limit);
    await bounded('create the volume', context.timings.step, context.deps.pool.createVolume(id, possible));
  },

  setVolumeLimit: async (scope, { limit }) => {
    const { context, id } = scope;
    const possible = await withinPool(scope, limit);
    await bounded('limit the volume', context.timings.step, context.deps.pool.setLimit(id, possible));
  },

  populate: async (scope) => {
    const { context, driver, record, signal } = scope;
    await provideParts(context, record.imageId, record.technique, signal);
    await bounded('fill the volume', context.timings.populate, driver.populate(scope.machine));
  },

  deleteVolume: ({ context, id }) =>
    bounded('delete the volume', context.timings.step, context.deps.pool.deleteVolume(id)),

  forget: async ({ context, id }) => {
    const { naming } = context.deps;
    for (const folder of [vpsLogDirectory(naming, id), vpsRunDirectory(naming, id)]) {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The room that a disk image's volume has beyond its disk may end where the pool does. */
async function withinPool({ context, record }: Scope, limit: number): Promise<number> {
  if (limit <= record.limits.disk) return limit;
  const { size } = await bounded('ask the pool', context.timings.question, context.deps.pool.info());
  return Math.max(record.limits.disk, Math.min(limit, size));
}
