import { MullionError } from '../contract/errors.ts';
import type { Snapshot } from '../contract/snapshots.ts';
import type { Technique } from '../contract/techniques.ts';
import { requireRates } from '../core/capacity.ts';
import { isAlive } from '../core/plan.ts';
import { NO_REVIVAL } from '../core/restart-policy.ts';
import { demandOf, requireRoomForVps, requireRoomToRun } from './capacity-check.ts';
import { type Context, requireDriver } from './context.ts';
import type { SnapshotVerbs } from './contract.ts';
import { dataForm } from './desired.ts';
import { featuresOf } from './features.ts';
import { requireImageParts } from './images.ts';
import { machineOf } from './machine.ts';
import { operate } from './operate.ts';
import { requireRoomInPool } from './pool-room.ts';
import type { SnapshotRecord, VpsRecord } from './records.ts';
import type { Techniques } from './techniques.ts';

export function snapshotVerbs(context: Context, techniques: Techniques): SnapshotVerbs {
  const { state } = context;
  return {
    async list(project, name) {
      return viewSnapshots(state.requireVps(project, name));
    },
    async create(project, name, request) {
      const record = state.requireVps(project, name);
      requireSnapshots(context);
      if (request.stateful) await requireMemory(context, record);
      if (request.name !== undefined) requireFree(record, request.name);
      return operate(context, record, {
        kind: 'vps.snapshot',
        event: 'snapshot',
        patch: (current) => {
          requireData(current);
          if (request.stateful) requireAlive(current);
          const snapshot = request.name ?? madeUp(current);
          requireFree(current, snapshot);
          const stateful = request.stateful === true;
          return { errand: { kind: 'createSnapshot', snapshot, ...(stateful ? { stateful } : {}) } };
        },
      });
    },
    async restore(project, name, snapshot) {
      const record = state.requireVps(project, name);
      if (requireSnapshot(record, snapshot).stateful) requireRoomForVps(context, record);
      await requireTechnique(context, techniques, record, snapshot);
      return operate(context, record, {
        kind: 'vps.restore',
        event: 'restore',
        patch: (current) => {
          const { stateful } = requireSnapshot(current, snapshot);
          // What ran when it was made runs again.
          const goal: Partial<VpsRecord> = stateful
            ? { goal: 'running', revival: NO_REVIVAL, lastWords: [] }
            : {};
          return { ...goal, errand: { kind: 'restoreSnapshot', snapshot } };
        },
      });
    },
    async delete(project, name, snapshot) {
      const record = state.requireVps(project, name);
      requireSnapshot(record, snapshot);
      return operate(context, record, {
        kind: 'vps.unsnapshot',
        event: 'snapshot',
        patch: (current) => {
          requireSnapshot(current, snapshot);
          return { errand: { kind: 'deleteSnapshot', snapshot } };
        },
      });
    },
  };
}

export const viewSnapshots = ({ snapshots, technique }: VpsRecord): Snapshot[] =>
  snapshots.map((snapshot) => ({ ...snapshot, technique: snapshot.technique ?? technique }));

/**
 * What a VPS with the data of this snapshot is: what it is now, unless that keeps data in another form than the technique
 * under which the snapshot was made. @throws not_found
 */
export function techniqueAfter(context: Context, record: VpsRecord, snapshot: string | undefined): Technique {
  if (snapshot === undefined) return record.technique;
  const { technique: made = record.technique } = requireSnapshot(record, snapshot);
  return dataForm(context, made) === dataForm(context, record.technique) ? record.technique : made;
}

/** @throws technique_unavailable, image_unfit, insufficient_* where the technique that a restore brings back cannot be */
async function requireTechnique(
  context: Context,
  techniques: Techniques,
  record: VpsRecord,
  snapshot: string,
): Promise<void> {
  const technique = techniqueAfter(context, record, snapshot);
  if (technique === record.technique) return;
  const image = requireImageParts(context, record.imageId);
  await techniques.choose(technique, image);
  const demand = demandOf(context, technique, record.limits, image.minimumDisk);
  requireRates(demand, record.name);
  requireRoomToRun(context, demand, record.id);
}

/** @throws not_found */
export function requireSnapshot({ name, snapshots }: VpsRecord, snapshot: string): SnapshotRecord {
  const found = snapshots.find((one) => one.name === snapshot);
  if (found !== undefined) return found;
  throw new MullionError('not_found', `The VPS ${name} has no snapshot ${snapshot}.`, {
    remedy: `See what there is with: mullion snapshot list ${name}`,
    details: { name, snapshot },
  });
}

function requireFree({ name, snapshots }: VpsRecord, snapshot: string): void {
  if (!snapshots.some((one) => one.name === snapshot)) return;
  throw new MullionError('already_exists', `The VPS ${name} has a snapshot ${snapshot} already.`, {
    remedy: `Choose another name, or delete it first: mullion snapshot delete ${name} ${snapshot}`,
    details: { name, snapshot },
  });
}

function requireSnapshots(context: Context): void {
  if (context.deps.pool.features.snapshots) return;
  throw new MullionError('not_supported', 'This pool cannot make snapshots.', {
    remedy: 'See why with: mullion pool info',
  });
}

/** @throws not_supported, wrong_state, insufficient_disk where memory cannot be kept */
async function requireMemory(context: Context, record: VpsRecord): Promise<void> {
  const { name, technique } = record;
  const driver = requireDriver(context, technique);
  const { memory } = driver;
  if (memory === undefined || !featuresOf(context, record).savedMemory) {
    throw new MullionError(
      'not_supported',
      `The technique ${technique} of ${name} cannot keep memory in a snapshot.`,
      { remedy: `Make one of its data alone: mullion snapshot create ${name}` },
    );
  }
  requireAlive(record);
  await requireRoomInPool(context, `the memory of ${name}`, memory.room(machineOf(context, record)));
}

/** @throws wrong_state */
function requireAlive({ name, observed }: VpsRecord): void {
  if (isAlive(observed.machine)) return;
  throw new MullionError('wrong_state', `The VPS ${name} does not run: it has no memory to keep.`, {
    remedy: `Make a snapshot of its data alone: mullion snapshot create ${name}`,
  });
}

/** @throws wrong_state while there is nothing to keep */
export function requireData({ name, observed }: VpsRecord): void {
  if (observed.volume === 'filled') return;
  throw new MullionError('wrong_state', `The VPS ${name} has no data yet.`);
}

/** The first of snap1, snap2 ... that is greater than all there are. */
function madeUp({ snapshots }: VpsRecord): string {
  const numbers = snapshots.map(({ name }) => Number(/^snap(\d{1,9})$/.exec(name)?.[1] ?? 0));
  return `snap${Math.max(0, ...numbers) + 1}`;
}
