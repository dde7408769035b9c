import type { SavedFolder, SaveRequest, SaveResult } from '../../backup/backup.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import type { Context } from '../context.ts';
import { holdImage } from '../image-holds.ts';
import type { RepositoryRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';
import { KIND } from './found.ts';

export const save = (
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

/** The image is saved whole, once for each repository: a backup then needs nothing else of this host. */
export async function saveImage(
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
