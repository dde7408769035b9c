import { MullionError } from '../contract/errors.ts';
import type { CopyRequest } from '../contract/snapshots.ts';
import type { Task } from '../contract/tasks.ts';
import { requireRates } from '../core/capacity.ts';
import { demandOf, requireRoomToRun } from './capacity-check.ts';
import { type Context, now, requireDriver } from './context.ts';
import { FIREWALL_QUEUE, groupsOfVps } from './firewall-members.ts';
import { networkFor } from './networks.ts';
import { beginLife, freePlace, requireFreeName, UNBORN } from './new-vps.ts';
import type { VpsRecord } from './records.ts';
import { requireData, requireSnapshot, techniqueAfter } from './snapshots.ts';

/** A new VPS with the data, limits, firewall groups and properties of another, and with an identity of its own. */
export async function copy(
  context: Context,
  project: string,
  name: string,
  request: CopyRequest,
): Promise<Task> {
  const source = context.state.requireVps(project, name);
  check(context, source, request);
  const network = await networkFor(context, project, source.network);
  return context.queue.run(FIREWALL_QUEUE, async () => {
    // From here to the queue nothing waits: what is free now is taken before another looks.
    const current = context.state.requireVps(project, name);
    check(context, current, request);
    const technique = techniqueAfter(context, current, request.snapshot);
    const record: VpsRecord = {
      ...current,
      technique,
      driver: requireDriver(context, technique).name,
      ...UNBORN,
      ...freePlace(context, project, network),
      name: request.name,
      createdAt: now(context),
      goal: request.start ? 'running' : 'stopped',
      copyOf: {
        vps: current.id,
        ...(request.snapshot === undefined ? {} : { snapshot: request.snapshot }),
      },
    };
    return beginLife(context, 'vps.copy', record, undefined, groupsOfVps(context, current));
  });
}

function check(context: Context, source: VpsRecord, request: CopyRequest): void {
  requireData(source);
  if (request.snapshot !== undefined) requireSnapshot(source, request.snapshot);
  requireFreeName(context, source.project, request.name);
  const alive = source.observed.machine !== 'none';
  if (alive && request.snapshot === undefined && !context.deps.pool.features.snapshots) {
    throw new MullionError('wrong_state', `This pool cannot copy ${source.name} while it runs.`, {
      remedy: `Stop it first: mullion stop ${source.name}`,
    });
  }
  const demand = demandOf(context, techniqueAfter(context, source, request.snapshot), source.limits, 0);
  requireRates(demand, source.name);
  if (request.start) requireRoomToRun(context, demand);
}
