import { MullionError } from '../contract/errors.ts';
import type { Image } from '../contract/resources.ts';
import type { Technique } from '../contract/techniques.ts';
import { partsToBoot } from '../core/boot-parts.ts';
import type { ImageRecord } from '../images/image-store.ts';
import { bounded } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import type { ImageVerbs } from './contract.ts';
import { partsOf } from './features.ts';
import { publishImage } from './image-publish.ts';
import { imageTransferVerbs, progressOf } from './image-transfer.ts';
import { startTask } from './node-task.ts';

/** Builds run one after another: each keeps the processors busy and they share a cache. */
const IMAGES_QUEUE = 'images';

export function imageVerbs(context: Context): ImageVerbs {
  const { state, deps, events } = context;
  return {
    async list(project) {
      state.requireProject(project);
      const own = newest(deps.images.list().filter((image) => image.project === project));
      const names = new Set(own.map(({ name }) => name));
      const shared = deps.images
        .list()
        .filter((image) => image.project !== project && !names.has(image.name));
      return [...own, ...shared.filter((image) => deps.images.find(project, image.name)?.id === image.id)]
        .map((image) => viewImage(context, image))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    async info(project, name) {
      return viewImage(context, requireImage(context, project, name));
    },
    async build(project, request) {
      state.requireProject(project);
      const subject = { kind: 'image.build', project, target: request.name, vps: null };
      return startTask(context, IMAGES_QUEUE, subject, async (run) => {
        const image = await deps.images.build(project, request, progressOf(run), run.signal);
        events.emit('image.added', project, image.name, { id: image.id, task: run.id });
        await collectReplaced(context);
      });
    },
    ...imageTransferVerbs(context),
    publish: (project, request) => publishImage(context, project, request),
    async delete(project, name) {
      const image = requireImage(context, project, name);
      if (image.project !== project) {
        throw new MullionError('forbidden', `The image ${name} belongs to the project ${image.project}.`, {
          remedy: `Delete it there: mullion image delete ${name} --project ${image.project}`,
        });
      }
      requireUnused(context, image);
      const subject = { kind: 'image.delete', project, target: name, vps: null };
      return startTask(context, IMAGES_QUEUE, subject, async (run) => {
        requireUnused(context, image);
        context.imagesLeaving.add(image.id);
        try {
          await deps.images.delete(image.id);
        } finally {
          context.imagesLeaving.delete(image.id);
        }
        events.emit('image.removed', project, name, { id: image.id, task: run.id });
        await context.collectTemplates();
      });
    },
  };
}

/** What can be had of the parts of an image that a VPS has. */
export function requireImageParts(
  context: Context,
  id: string,
): Pick<ImageRecord, 'name' | 'parts' | 'minimumDisk'> {
  const image = context.deps.images.list().find((one) => one.id === id);
  if (image === undefined) throw new MullionError('not_found', `There is no image with the id ${id}.`);
  return { ...image, parts: [...image.parts, ...image.onDemand] };
}

/** Has those parts of the image made that the technique boots from and that are only possible so far. */
export function provideParts(
  context: Context,
  imageId: string,
  technique: Technique,
  signal: AbortSignal,
): Promise<void> {
  const { images } = context.deps;
  const parts = partsToBoot(requireDriver(context, technique), technique, partsOf(context, imageId));
  return bounded(
    'make the missing parts of the image',
    context.timings.populate,
    images.provide(imageId, parts, signal),
  );
}

/** Of images of one name the one that was made last, which replaced the others. */
function newest(images: readonly ImageRecord[]): ImageRecord[] {
  return [...new Map(images.map((image) => [image.name, image])).values()];
}

/** Deletes images that one of the same name has replaced, once no VPS uses them. Never throws. */
export async function collectReplaced(context: Context): Promise<void> {
  const { images, logger } = context.deps;
  for (const image of images.list()) {
    const replaced = images.find(image.project, image.name)?.id !== image.id;
    const wanted = context.imagesHeld.has(image.id) || usersOf(context, image).length > 0;
    if (!replaced || wanted || context.imagesLeaving.has(image.id)) continue;
    context.imagesLeaving.add(image.id);
    try {
      await images.delete(image.id);
      context.events.emit('image.removed', image.project, image.name, { id: image.id });
    } catch (failure) {
      logger.warn('a replaced image cannot be deleted', { image: image.id, failure });
    } finally {
      context.imagesLeaving.delete(image.id);
    }
  }
  await context.collectTemplates();
}

/** @throws not_found that says how to build it */
export function requireImage(context: Context, project: string, name: string): ImageRecord {
  context.state.requireProject(project);
  const image = context.deps.images.find(project, name);
  if (image !== undefined && !context.imagesLeaving.has(image.id)) return image;
  throw new MullionError('not_found', `There is no image ${name}.`, {
    remedy: `Build it with: mullion image build ${name}; see what there is with: mullion image list`,
    details: { image: name, project },
  });
}

const usersOf = (context: Context, image: ImageRecord): string[] =>
  [...context.state.vps.values()].filter(({ imageId }) => imageId === image.id).map(({ name }) => name);

function requireUnused(context: Context, image: ImageRecord): void {
  if (context.imagesHeld.has(image.id)) {
    throw new MullionError('in_use', `The image ${image.name} is being read by a task.`, {
      remedy: 'Wait until that is done: mullion task list',
      details: { image: image.name },
    });
  }
  const users = usersOf(context, image);
  if (users.length === 0) return;
  const shown = users.slice(0, 5).join(', ');
  throw new MullionError(
    'in_use',
    `The image ${image.name} is used by ${users.length > 5 ? `${users.length} VPSs, among them ${shown}` : shown}.`,
    { details: { image: image.name, usedBy: users.length } },
  );
}

const viewImage = (context: Context, image: ImageRecord): Image => ({
  ...image,
  parts: [...image.parts],
  onDemand: image.onDemand.filter((part) => !image.parts.includes(part)),
  usedBy: usersOf(context, image).length,
});
