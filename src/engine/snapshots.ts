import { MullionError } from '../contract/errors.ts';
import type { Context } from './context.ts';
import type { SnapshotVerbs } from './contract.ts';
import { operate } from './operate.ts';
import type { VpsRecord } from './records.ts';

export function snapshotVerbs(context: Context): SnapshotVerbs {
  const { state } = context;
  return {
    async list(project, name) {
      return [...state.requireVps(project, name).snapshots];
    },
    async create(project, name, request) {
      const record = state.requireVps(project, name);
      requireSnapshots(context);
      if (request.name !== undefined) requireFree(record, request.name);
      return operate(context, record, {
        kind: 'vps.snapshot',
        event: 'snapshot',
        patch: (current) => {
          requireData(current);
          const snapshot = request.name ?? madeUp(current);
          requireFree(current, snapshot);
          return { errand: { kind: 'createSnapshot', snapshot } };
        },
      });
    },
    async restore(project, name, snapshot) {
      const record = state.requireVps(project, name);
      requireSnapshot(record, snapshot);
      return operate(context, record, {
        kind: 'vps.restore',
        event: 'restore',
        patch: (current) => {
          requireSnapshot(current, snapshot);
          return { errand: { kind: 'restoreSnapshot', snapshot } };
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

/** @throws not_found */
export function requireSnapshot({ name, snapshots }: VpsRecord, snapshot: string): void {
  if (snapshots.some((one) => one.name === snapshot)) return;
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
