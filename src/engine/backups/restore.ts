import type { RestoreBackupRequest } from '../../contract/backups.ts';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import { DEFAULT_NETWORK } from '../../contract/names.ts';
import type { Task } from '../../contract/tasks.ts';
import { sameAddress } from '../../core/addresses.ts';
import { volumeLimit } from '../../core/capacity.ts';
import { demandOf, requireRoomOnDisk, requireRoomToRun } from '../capacity-check.ts';
import { type Context, now, requireDriver } from '../context.ts';
import { givesDisk } from '../desired.ts';
import { FIREWALL_QUEUE, groupsThatExist } from '../firewall-members.ts';
import { provideParts } from '../images.ts';
import { machineOf } from '../machine.ts';
import { networkFor } from '../networks.ts';
import { beginLife, freePlace, requireFreeName, UNBORN } from '../new-vps.ts';
import { abandon, pursue } from '../operate.ts';
import { withinRoom } from '../pool-room.ts';
import type { ProgressNode } from '../progress-node.ts';
import type { NetworkRecord, VpsRecord } from '../records.ts';
import { saveProgress } from '../run-plan.ts';
import { Interrupted, type TaskRun } from '../task-run.ts';
import type { Techniques } from '../techniques.ts';
import { DEFINITION_FILE, type Definition } from './definition.ts';
import { type FoundBackup, readDefinition, viewBackup } from './found.ts';
import { bringImageBack } from './restore-image.ts';

/** How often the growth of a volume is looked at. */
const LOOK_MS = 1_000;

export interface RestoreTarget {
  readonly kind: 'backup.restore' | 'backup.verify';
  readonly name: string;
  /** Runs without network, and is deleted by the task that made it. */
  readonly isolated: boolean;
  /** What the data is compared with once it was written. */
  readonly compare: boolean;
}

/** Makes a VPS from a backup: all that can be refused is refused at once. */
export async function startRestore(
  context: Context,
  techniques: Techniques,
  project: string,
  found: FoundBackup,
  request: RestoreBackupRequest,
): Promise<Task> {
  const definition = await readDefinition(context, found);
  const name = request.name ?? definition.vps.name;
  const target = { kind: 'backup.restore', name, isolated: false, compare: false } as const;
  return bringBack(context, techniques, project, found, definition, target, async (record, run) => {
    context.events.emit('backup.restored', project, name, {
      id: record.id,
      backup: viewBackup(found).id,
      task: run.id,
    });
    const goal = request.start ? 'running' : 'stopped';
    context.state.vps.set({ ...record, goal, state: request.start ? 'starting' : 'stopped' });
    await saveProgress(context, record.id, run);
    await pursue(context, record.id, run);
  });
}

/**
 * Claims a place for a new VPS, fills its volume from the backup and goes on with `andThen`. Until then its goal is to
 * be absent, so that a daemon that finds it half restored takes it away.
 */
export async function bringBack(
  context: Context,
  techniques: Techniques,
  project: string,
  found: FoundBackup,
  definition: Definition,
  target: RestoreTarget,
  andThen: (record: VpsRecord, run: TaskRun) => Promise<void>,
): Promise<Task> {
  requireFreeName(context, project, target.name);
  const { technique, limits } = definition.vps;
  const { image } = definition;
  const choice = await techniques.choose(technique, { ...image, parts: [...image.parts, ...image.onDemand] });
  const demand = demandOf(context, technique, limits, image.minimumDisk);
  await requireRoomOnDisk(context, demand);
  const network = await networkFor(context, project, networkName(context, project, definition));
  return context.queue.run(FIREWALL_QUEUE, async () => {
    requireFreeName(context, project, target.name);
    requireRoomToRun(context, demand);
    const record = recordOf(context, project, definition, target, network, choice.reason);
    const wanted = target.isolated ? [] : definition.vps.groups;
    const groups = groupsThatExist(context, project, wanted);
    const work = async (run: TaskRun): Promise<void> => {
      for (const group of wanted.filter((name) => !groups.includes(name))) {
        run.warn(`It was in the firewall group ${group}, which the project ${project} does not have.`);
      }
      try {
        await fill(context, found, definition, record, run, target.compare);
        const filled = context.state.vps.get(record.id);
        if (filled !== undefined) await andThen(filled, run);
      } catch (failure) {
        if (failure instanceof Interrupted) return;
        const failed = context.state.vps.get(record.id);
        if (failed !== undefined) await abandon(context, failed, run, asMullionError(failure));
      }
    };
    return beginLife(context, target.kind, record, work, groups);
  });
}

async function fill(
  context: Context,
  { repository, saved }: FoundBackup,
  definition: Definition,
  { id, project }: VpsRecord,
  run: TaskRun,
  verify: boolean,
): Promise<void> {
  const { state, deps } = context;
  using _held = context.repositoriesHeld.hold(repository.id);
  const image = await bringImageBack(context, repository, definition, project, run);
  const record = state.vps.get(id);
  if (record === undefined) throw new MullionError('not_found', 'The VPS is gone.');
  state.vps.set({ ...record, imageId: image.id, image: image.name });
  await saveProgress(context, id, run);
  await provideParts(context, image.id, record.technique, run.signal);
  const { size } = await deps.pool.info();
  const limit = Math.min(volumeLimit(record.limits.disk, givesDisk(context, record)), size);
  await run.part('restore the data', (node) =>
    withinRoom(context, `the data of ${record.name}`, definition.used, run.signal, async (signal) => {
      await deps.pool.createVolume(id, limit);
      await watchGrowth(context, id, definition.used, node, () =>
        deps.backups.restore(repository, saved.id, {
          target: deps.pool.volumePath(id),
          except: [DEFINITION_FILE],
          verify,
          signal,
        }),
      );
    }),
  );
  const driver = requireDriver(context, record.technique);
  if (record.machineId !== definition.vps.machineId && driver.individualize !== undefined) {
    await driver.individualize(machineOf(context, state.vps.get(id) ?? record));
  }
  const now = state.vps.get(id) ?? record;
  state.vps.set({ ...now, observed: { ...now.observed, volume: 'filled', volumeLimit: limit } });
  await saveProgress(context, id, run);
}

/** Tells how far the data has come, by what the volume holds. */
async function watchGrowth(
  context: Context,
  id: string,
  total: number,
  node: ProgressNode,
  work: () => Promise<void>,
): Promise<void> {
  const { pool } = context.deps;
  const look = async (): Promise<void> => {
    const { used } = await pool.usage(id);
    node.measure({ done: Math.min(used, total), total, unit: 'bytes' });
  };
  const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS).unref();
  try {
    await work();
  } finally {
    clearInterval(timer);
  }
}

/** The network of that name when it is here too. */
const networkName = (context: Context, project: string, { vps }: Definition): string =>
  context.state.networks.get(`${project}/${vps.network}`) === undefined ? DEFAULT_NETWORK : vps.network;

function recordOf(
  context: Context,
  project: string,
  definition: Definition,
  target: RestoreTarget,
  network: NetworkRecord,
  reason: string,
): VpsRecord {
  const { vps, image } = definition;
  const { name, isolated } = target;
  const all = [...context.state.vps.values()];
  const place = freePlace(context, project, network);
  return {
    ...UNBORN,
    ...place,
    ...(isSame(context, definition, target) ? sameIdentity(all, project, network, definition) : {}),
    name,
    project,
    technique: vps.technique,
    driver: requireDriver(context, vps.technique).name,
    reason,
    image: image.name,
    imageId: image.id,
    limits: vps.limits,
    env: vps.env,
    sshKeys: vps.sshKeys,
    ...(vps.userData === undefined ? {} : { userData: vps.userData }),
    firmware: vps.firmware,
    bus: vps.bus,
    network: network.name,
    createdAt: now(context),
    ...(isolated ? { isolated } : {}),
    goal: 'absent',
    restart: vps.restart,
    autostart: vps.autostart,
    copyOf: null,
    state: 'restoring',
    observed: { ...UNBORN.observed, volume: 'partial' },
  };
}

/** The same server again, not another one beside it. */
const isSame = (context: Context, { vps }: Definition, { name, isolated }: RestoreTarget): boolean =>
  name === vps.name &&
  !isolated &&
  ![...context.state.vps.values()].some(({ machineId }) => machineId === vps.machineId);

/** What it was known by, where that is free. */
function sameIdentity(
  all: readonly VpsRecord[],
  project: string,
  network: NetworkRecord,
  { vps }: Definition,
): Partial<VpsRecord> {
  const neighbours = all.filter((other) => other.project === project && other.network === network.name);
  const ports = new Set(all.flatMap(({ forwards }) => forwards.map(portOf)));
  return {
    ...sameAddress(network, new Set(neighbours.map(({ ipv4 }) => ipv4)), vps.ipv4),
    ...(all.some(({ mac }) => mac === vps.mac) ? {} : { mac: vps.mac }),
    machineId: vps.machineId,
    forwards: vps.forwards.filter((forward) => !ports.has(portOf(forward))),
  };
}

const portOf = ({ protocol, hostPort }: VpsRecord['forwards'][number]): string => `${protocol}/${hostPort}`;
