import type { ImagePart } from '../../../contract/resources.ts';
import { bootsItself } from '../../../core/boot-parts.ts';
import type { ImageFiles } from '../../driver.ts';

/** Parts by which the driver boots a guest itself, with the agent in it. */
export const NEEDS: readonly ImagePart[] = ['disk', 'kernel'];
/** Parts by which a guest that nobody prepared boots itself. */
export const FOREIGN: readonly ImagePart[] = ['boot-disk', 'iso'];

const present = (image: ImageFiles): ImagePart[] => [
  ...(image.disk === undefined ? [] : (['disk'] as const)),
  ...(image.kernel === undefined ? [] : (['kernel'] as const)),
  ...(image.bootDisk === undefined ? [] : (['boot-disk'] as const)),
  ...(image.iso === undefined ? [] : (['iso'] as const)),
];

/** Whether the guest boots by a loader of its own, from its disk or from an ISO image. */
export const isForeign = (image: ImageFiles): boolean =>
  bootsItself({ needs: NEEDS, foreign: FOREIGN }, present(image));
