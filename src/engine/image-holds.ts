import { MullionError } from '../contract/errors.ts';
import type { Context } from './context.ts';

/**
 * Keeps an image while a task reads it: files that were taken away from under an archiver would be missing from what it
 * makes without a word. @throws not_found while it is being deleted
 */
export function holdImage(context: Context, id: string): Disposable {
  const { imagesLeaving, imagesHeld } = context;
  if (imagesLeaving.has(id) || !context.deps.images.list().some((image) => image.id === id)) {
    throw new MullionError('not_found', 'The image is gone.', {
      remedy: 'See what there is with: mullion image list',
    });
  }
  return imagesHeld.hold(id);
}
