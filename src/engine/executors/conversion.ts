import { MullionError } from '../../contract/errors.ts';
import { volumeLimit } from '../../core/capacity.ts';
import { bounded } from '../bounded.ts';
import { requireDriver } from '../context.ts';
import { dataForm } from '../desired.ts';
import { provideParts } from '../images.ts';
import { withinRoom } from '../pool-room.ts';
import type { ConvertErrand } from '../records.ts';
import type { Executors, Scope } from './scope.ts';

/** Steps from one technique to another. */
export const conversionExecutors: Pick<Executors, 'keepData' | 'convertData'> = {
  keepData: async ({ context, id }, { kept }) => {
    const { pool } = context.deps;
    // Half converted by a daemon that was killed: what is kept is the truth.
    const again = (await pool.listSnapshots(id)).includes(kept);
    const work = again ? pool.restoreSnapshot(id, kept) : pool.createSnapshot(id, kept);
    await bounded('keep the data', context.timings.step, work);
  },

  convertData: async (scope) => {
    const { context, id, record, signal, progress } = scope;
    const { pool, converter } = context.deps;
    const errand = errandOf(scope);
    await scope.driver.memory?.drop(scope.machine);
    const [from, to] = [dataForm(context, record.technique), dataForm(context, errand.technique)];
    if (from !== to) {
      progress?.advanceTo('make the missing parts of the image');
      await provideParts(context, record.imageId, errand.technique, signal);
      const { disk } = record.limits;
      const { size } = await pool.info();
      if (pool.features.quota)
        await pool.setLimit(id, Math.max(disk, Math.min(size, volumeLimit(disk, true))));
      const source = pool.snapshotPath(id, errand.kept);
      const target = pool.volumePath(id);
      const conversion = { from, to, source, target, image: scope.machine.image, diskSize: disk };
      await withinRoom(context, `the data of ${record.name}`, undefined, signal, (guarded) =>
        bounded(
          'convert the data',
          context.timings.populate,
          converter.convert(
            conversion,
            ({ step, ...measure }) => progress?.advanceTo(step).measure(measure),
            guarded,
          ),
        ),
      );
    }
    scope.update({
      technique: errand.technique,
      reason: errand.reason,
      driver: requireDriver(context, errand.technique).name,
    });
  },
};

function errandOf({ record }: Scope): ConvertErrand {
  const { errand, name } = record;
  if (errand?.kind === 'convert') return errand;
  throw new MullionError('internal', `The VPS ${name} is not being converted.`);
}
