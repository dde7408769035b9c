import { bounded } from '../bounded.ts';
import { now, requireDriver } from '../context.ts';
import { holdMemory } from '../hold-memory.ts';
import { atRest } from '../quiesce.ts';
import { techniqueAfter } from '../snapshots.ts';
import type { Executors, Scope } from './scope.ts';

/** Steps on points in time of a VPS's data, and on copies of it. */
export const snapshotExecutors: Pick<
  Executors,
  'createSnapshot' | 'restoreSnapshot' | 'deleteSnapshot' | 'cloneVolume' | 'individualize'
> = {
  createSnapshot: async (scope, { snapshot, stateful }) => {
    const { pool } = scope.context.deps;
    // What an earlier daemon made of it and did not live to record.
    await timed(scope, 'delete a snapshot', pool.deleteSnapshot(scope.id, snapshot));
    const make = (): Promise<void> =>
      timed(scope, 'make the snapshot', pool.createSnapshot(scope.id, snapshot));
    const consistency = stateful
      ? await holdMemory(scope, make)
      : await atRest(scope.context, scope.record, make);
    scope.update({
      snapshots: [
        ...without(scope, snapshot),
        {
          name: snapshot,
          createdAt: now(scope.context),
          consistency,
          stateful,
          technique: scope.record.technique,
        },
      ],
    });
  },

  restoreSnapshot: async (scope, { snapshot }) => {
    const { pool } = scope.context.deps;
    await timed(scope, 'restore the snapshot', pool.restoreSnapshot(scope.id, snapshot));
    becomeWhatItWas(scope, snapshot);
    await dropUnfitMemory(scope);
  },

  deleteSnapshot: async (scope, { snapshot }) => {
    await timed(scope, 'delete the snapshot', scope.context.deps.pool.deleteSnapshot(scope.id, snapshot));
    scope.update({ snapshots: without(scope, snapshot) });
  },

  /** In the source's queue: nothing else happens to it meanwhile. */
  cloneVolume: ({ context, id }, { source, limit }) =>
    context.queue.run(source.vps, async () => {
      const { pool } = context.deps;
      const clone = (): Promise<void> =>
        bounded(
          'copy the volume',
          context.timings.populate,
          pool.cloneVolume({ volume: source.vps, snapshot: source.snapshot }, id, limit),
        );
      const record = context.state.vps.get(source.vps);
      if (record === undefined || source.snapshot !== undefined) return clone();
      await atRest(context, record, clone);
    }),

  individualize: async (scope) => {
    const { context, machine, record } = scope;
    const driver = requireDriver(context, record.technique);
    if (driver.individualize !== undefined) {
      await bounded('make the copy its own', context.timings.populate, driver.individualize(machine));
    }
    // It knows itself as the one it was copied from.
    if (record.copyOf?.template !== true) await driver.memory?.drop(machine);
    scope.update({ copyOf: null });
  },
};

/** Data in another form than the technique keeps it bring the technique back that they were made under. */
function becomeWhatItWas(scope: Scope, snapshot: string): void {
  const { context, record } = scope;
  const technique = techniqueAfter(context, record, snapshot);
  if (technique === record.technique) return;
  scope.update({
    technique,
    driver: requireDriver(context, technique).name,
    reason: `The snapshot ${snapshot} was made under it.`,
    observed: { ...record.observed, volumeLimit: undefined },
  });
  scope.warn(`It has the technique ${technique} again, under which the snapshot ${snapshot} was made.`);
}

/** A restore without the memory is better than none; it is said. */
async function dropUnfitMemory(scope: Scope): Promise<void> {
  const { memory } = scope.driver;
  const saved = await memory?.saved(scope.machine);
  if (saved?.unfit === undefined) return;
  await memory?.drop(scope.machine);
  scope.warn(`The memory is not restored, and it boots instead: ${saved.unfit}`);
}

const timed = (scope: Scope, what: string, work: Promise<void>): Promise<void> =>
  bounded(what, scope.context.timings.step, work);

const without = ({ record }: Scope, snapshot: string) =>
  record.snapshots.filter(({ name }) => name !== snapshot);
