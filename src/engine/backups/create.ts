import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { DiskFiles, SaveResult } from '../../backup/backup.ts';
import { asMullionError, MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/size-text.ts';
import type { Consistency } from '../../contract/snapshots.ts';
import type { Task } from '../../contract/tasks.ts';
import { volumeLimit } from '../../core/capacity.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import { bounded } from '../bounded.ts';
import { type Context, now } from '../context.ts';
import { givesDisk } from '../desired.ts';
import { groupsOfVps } from '../firewall-members.ts';
import { startTask } from '../node-task.ts';
import { atRest } from '../quiesce.ts';
import type { RepositoryRecord, VpsRecord } from '../records.ts';
import { requireData, techniqueAfter } from '../snapshots.ts';
import type { TaskRun } from '../task-run.ts';
import { writeDefinition } from './definition.ts';
import { isBackup, KIND } from './found.ts';
import { requireReliable } from './look.ts';
import { repositoryQueue } from './repositories.ts';
import { save, saveImage } from './save.ts';
import { scratchVolume } from './scratch-volume.ts';

/** How often a backup is made whose image is taken away meanwhile. */
const ATTEMPTS = 3;

/** Queues a backup of a VPS. It works on a copy, so the VPS is free for all else meanwhile. */
export function startBackup(
  context: Context,
  repository: RepositoryRecord,
  record: VpsRecord,
  schedule: boolean,
  onEnd?: (run: TaskRun, failure: unknown) => Promise<void>,
): Promise<Task> {
  requireData(record);
  const subject = { kind: 'backup.create', project: record.project, target: record.name, vps: null };
  return startTask(
    context,
    repositoryQueue(repository),
    subject,
    (run) => backUp(context, repository, record, run, schedule),
    { onEnd },
  );
}

/**
 * An image is in nobody's way of deleting it until a backup that needs it is there, and a repository may have other users
 * than this daemon. So it is looked for once all is saved, and the backup made anew when it is gone.
 */
async function backUp(
  context: Context,
  repository: RepositoryRecord,
  vps: Present,
  run: TaskRun,
  schedule: boolean,
): Promise<void> {
  const { backups } = context.deps;
  const useless: string[] = [];
  for (;;) {
    const { result, imageSaved } = await saveAll(context, repository, vps, run, schedule);
    const all = await run.part('look at the repository', async () => {
      await requireReliable(context, repository, run);
      return backups.list(repository, run.signal);
    });
    if (all.some(({ id }) => id === imageSaved)) {
      run.progress.measure({ message: `${formatSize(result.added)} of ${formatSize(result.size)} were new` });
      break;
    }
    useless.push(result.saved.id);
    if (useless.length === ATTEMPTS) throw withoutImage(repository);
  }
  if (useless.length === 0) return;
  await run
    .part('delete what lost its image', () => backups.forget(repository, useless, run.signal))
    .catch((failure: unknown) => {
      run.warn(`Backups without their image were not deleted: ${asMullionError(failure).message}`);
    });
}

async function saveAll(
  context: Context,
  repository: RepositoryRecord,
  vps: Present,
  run: TaskRun,
  schedule: boolean,
): Promise<{ readonly result: SaveResult; readonly imageSaved: string }> {
  const { deps, events } = context;
  const known = await run.part('look into the repository', () => deps.backups.list(repository, run.signal));
  const { id } = vps;
  const { project, name, image } = requirePresent(context, vps);
  const imageSaved = await saveImage(context, repository, imageOf(context, vps), known, run);
  const parent = known.findLast((saved) => isBackup(saved) && saved.labels.vps === id);
  await using copy = await scratchVolume(context, `backup-${randomBytes(8).toString('hex')}`);
  const copiedAfter = context.clock();
  const { record, consistency } = await run.part('copy its data at one instant', () =>
    copyVolume(context, vps, copy.id),
  );
  const disks = await disksOf(copy.path, copiedAfter);
  await writeDefinition(copy.path, {
    record,
    groups: groupsOfVps(context, record),
    image: imageOf(context, vps),
    imageSaved,
    used: Math.max(...(await Promise.all([id, copy.id].map((volume) => chargedFor(context, volume))))),
    takenAt: now(context),
  });
  const result = await save(context, repository, run, 'save what changed', {
    folder: copy.path,
    disks,
    parent: parent?.id,
    labels: {
      kind: KIND.vps,
      vps: id,
      name,
      project,
      technique: record.technique,
      image,
      imageSaved,
      node: deps.nodeName,
      consistency,
      schedule: schedule ? 'yes' : 'no',
    },
  });
  events.emit('backup.added', project, name, {
    backup: result.saved.id.slice(0, 12),
    repository: repository.name,
    size: result.size,
    added: result.added,
    task: run.id,
  });
  return { result, imageSaved };
}

const withoutImage = ({ url }: RepositoryRecord): MullionError =>
  new MullionError(
    'conflict',
    `The image of the backup was deleted from ${url} each time that the backup was made.`,
    { remedy: 'See who else deletes in this repository; then make the backup again' },
  );

/** A volume holds folders of a container, or the files of a machine. */
async function disksOf(volume: string, copiedAfter: Date): Promise<DiskFiles> {
  const entries = await readdir(volume, { withFileTypes: true });
  return { names: entries.filter((entry) => entry.isFile()).map(({ name }) => name), copiedAfter };
}

/** A copy is charged for nothing that it shares, and its original may be gone. */
const chargedFor = ({ deps }: Context, volume: string): Promise<number> =>
  deps.pool.usage(volume).then(
    ({ used }) => used,
    () => 0,
  );

/** A VPS that may be gone meanwhile, and by which name it was known. */
type Present = Pick<VpsRecord, 'id' | 'name'>;

/** In the VPS's own turn, so that nothing else is half done to its data. */
export function copyVolume(
  context: Context,
  vps: Present,
  copy: string,
  snapshot?: string,
): Promise<{ readonly record: VpsRecord; readonly consistency: Consistency }> {
  const { id } = vps;
  return context.queue.run(id, async () => {
    const record = requirePresent(context, vps);
    requireData(record);
    const { pool } = context.deps;
    const runs = snapshot === undefined && record.observed.machine !== 'none';
    if (runs && !pool.features.snapshots) {
      throw new MullionError(
        'not_supported',
        `The pool cannot copy the data of ${record.name} while it runs.`,
        {
          remedy: `Stop it first: mullion stop ${record.name}; or use a btrfs pool`,
        },
      );
    }
    const technique = techniqueAfter(context, record, snapshot);
    const limit = volumeLimit(record.limits.disk, givesDisk(context, { technique }));
    const { size } = await pool.info();
    const consistency = await atRest(context, snapshot === undefined ? record : asStopped(record), () => {
      const clone = pool.cloneVolume({ volume: id, snapshot }, copy, Math.min(limit, size));
      return bounded('copy its data', context.timings.populate, clone);
    });
    return { record, consistency };
  });
}

/** A snapshot does not change: nobody needs to rest for it. */
const asStopped = (record: VpsRecord): VpsRecord => ({
  ...record,
  observed: { ...record.observed, machine: 'none' },
});

function requirePresent(context: Context, { id, name }: Present): VpsRecord {
  const record = context.state.vps.get(id);
  if (record !== undefined) return record;
  throw new MullionError('not_found', `The VPS ${name} is gone.`, {
    remedy: 'See what there is with: mullion list',
  });
}

function imageOf(context: Context, vps: Present): ImageRecord {
  const { imageId, image } = requirePresent(context, vps);
  const found = context.deps.images.list().find((record) => record.id === imageId);
  if (found !== undefined) return found;
  throw new MullionError('not_found', `The image ${image} is not on this host.`);
}
