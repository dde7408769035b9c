import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { DiskFiles, SavedFolder, SaveRequest, SaveResult } from '../../backup/backup.ts';
import { MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/size-text.ts';
import type { Consistency } from '../../contract/snapshots.ts';
import type { Task } from '../../contract/tasks.ts';
import { volumeLimit } from '../../core/capacity.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import { bounded } from '../bounded.ts';
import { type Context, now } from '../context.ts';
import { givesDisk } from '../desired.ts';
import { holdImage } from '../image-holds.ts';
import { startTask } from '../node-task.ts';
import { atRest } from '../quiesce.ts';
import type { RepositoryRecord, VpsRecord } from '../records.ts';
import { requireData, techniqueAfter } from '../snapshots.ts';
import type { TaskRun } from '../task-run.ts';
import { writeDefinition } from './definition.ts';
import { isBackup, KIND } from './found.ts';
import { requireReliable } from './look.ts';
import { repositoryQueue } from './repositories.ts';
import { scratchVolume } from './scratch-volume.ts';

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

async function backUp(
  context: Context,
  repository: RepositoryRecord,
  vps: Present,
  run: TaskRun,
  schedule: boolean,
): Promise<void> {
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
  await run.part('look at the repository', () => requireReliable(context, repository, run.signal));
  run.progress.measure({ message: `${formatSize(result.added)} of ${formatSize(result.size)} were new` });
}

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

/** The image is saved whole, once for each repository: a backup then needs nothing else of this host. */
async function saveImage(
  context: Context,
  repository: RepositoryRecord,
  image: ImageRecord,
  known: readonly SavedFolder[],
  run: TaskRun,
): Promise<string> {
  const { digest } = image;
  const same = known.find(({ labels }) => labels.kind === KIND.image && labels.digest === digest);
  if (same !== undefined) return same.id;
  using _held = holdImage(context, image.id);
  const { saved } = await save(context, repository, run, `save the image ${image.name}`, {
    folder: context.deps.pool.imagePath(image.id),
    labels: { kind: KIND.image, digest, name: image.name },
  });
  return saved.id;
}

const save = (
  context: Context,
  repository: RepositoryRecord,
  run: TaskRun,
  step: string,
  request: Omit<SaveRequest, 'onProgress' | 'signal'>,
): Promise<SaveResult> =>
  run.part(step, (node) =>
    context.deps.backups.save(repository, {
      ...request,
      signal: run.signal,
      onProgress: ({ done, total }) => node.measure({ done, total, unit: 'bytes' }),
    }),
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
    const technique = snapshot === undefined ? record.technique : techniqueAfter(context, record, snapshot);
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
