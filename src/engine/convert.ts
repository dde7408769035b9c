import { randomBytes } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import type { ConvertRequest } from '../contract/vps.ts';
import { requireRates } from '../core/capacity.ts';
import { demandOf, requireRoomOnDisk, requireRoomToRun } from './capacity-check.ts';
import type { Context } from './context.ts';
import { KEPT_PREFIX } from './conversion.ts';
import { dataForm } from './desired.ts';
import { requireImageParts } from './images.ts';
import { operate } from './operate.ts';
import type { VpsRecord } from './records.ts';
import { requireData, viewSnapshots } from './snapshots.ts';
import type { Techniques } from './techniques.ts';

const SHUTDOWN_MS = 30_000;

/** Gives a VPS another technique; refused where that cannot be, before anything is touched. */
export async function convert(
  context: Context,
  techniques: Techniques,
  project: string,
  name: string,
  { technique }: ConvertRequest,
): Promise<Task> {
  const record = context.state.requireVps(project, name);
  check(context, record, technique);
  const image = requireImageParts(context, record.imageId);
  const choice = await techniques.choose(technique, image);
  const demand = demandOf(context, technique, record.limits, image.minimumDisk);
  requireRates(demand, record.name);
  // Data that keeps its form takes no room that it does not have.
  if (dataForm(context, technique) !== dataForm(context, record.technique)) {
    await requireRoomOnDisk(context, demand);
  }
  requireRoomToRun(context, demand, record.id);
  return operate(context, record, {
    kind: 'vps.convert',
    event: 'convert',
    patch: (current) => {
      check(context, current, technique);
      return {
        shutdownMs: SHUTDOWN_MS,
        // They stay as they are, and belong to what the VPS was.
        snapshots: viewSnapshots(current),
        errand: {
          kind: 'convert',
          technique,
          reason: choice.reason,
          former: { technique: current.technique, reason: current.reason },
          kept: `${KEPT_PREFIX}${randomBytes(6).toString('hex')}`,
        },
      };
    },
  });
}

function check(context: Context, record: VpsRecord, technique: VpsRecord['technique']): void {
  requireData(record);
  if (record.technique === technique) {
    throw new MullionError('wrong_state', `The VPS ${record.name} has the technique ${technique} already.`, {
      remedy: 'Nothing to do',
    });
  }
  if (!context.deps.pool.features.snapshots) {
    throw new MullionError('not_supported', 'This pool cannot keep the data as it was meanwhile.', {
      remedy: 'See why with: mullion pool info',
    });
  }
}
