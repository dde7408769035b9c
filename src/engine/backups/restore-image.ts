import { randomBytes } from 'node:crypto';
import { DEFAULT_PROJECT } from '../../contract/names.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import { type Context, now } from '../context.ts';
import type { RepositoryRecord } from '../records.ts';
import type { TaskRun } from '../task-run.ts';
import type { Definition } from './definition.ts';

/** Longest part of a name that is kept in another one. */
const NAME_LENGTH = 100;

/**
 * The image of that digest that is here, or else the one that the repository has. Who can write to the repository can
 * give any data any name and any time: what comes out of it never takes the place of an image that is here.
 */
export async function bringImageBack(
  context: Context,
  repository: RepositoryRecord,
  { image, imageSaved }: Definition,
  project: string,
  run: TaskRun,
): Promise<ImageRecord> {
  const { images, backups } = context.deps;
  return context.queue.run('images', async () => {
    const here = images
      .list()
      .find(
        (other) =>
          other.digest === image.digest &&
          !context.imagesLeaving.has(other.id) &&
          [project, DEFAULT_PROJECT].includes(other.project),
      );
    if (here !== undefined) return here;
    const suffix = randomBytes(8).toString('hex');
    const name = freeName(context, project, image.name, suffix);
    if (name !== image.name)
      run.warn(`There is another image ${image.name} here: the restored one is ${name}.`);
    const record = {
      ...image,
      id: `image-${suffix}`,
      name,
      project,
      origin: `the backup repository ${repository.name}`,
      createdAt: now(context),
    };
    return run.part(`restore the image ${image.name}`, () =>
      images.adopt(record, (folder) =>
        backups.restore(repository, imageSaved, {
          target: folder,
          except: ['image.json'],
          signal: run.signal,
        }),
      ),
    );
  });
}

/** The name itself where no launch in the project would mean another image by it. */
function freeName({ deps }: Context, project: string, name: string, suffix: string): string {
  if (deps.images.find(project, name) === undefined) return name;
  const kept = name.slice(0, NAME_LENGTH).replace(/[^a-z0-9]+$/, '');
  return `${kept}-restored-${suffix.slice(0, 8)}`;
}
