import { MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import type { Features } from '../contract/techniques.ts';
import { type Context, requireDriver } from './context.ts';
import type { VpsRecord } from './records.ts';

type Named = Pick<VpsRecord, 'technique' | 'imageId'>;

/** Parts that the VPS's image has, or can have. */
export function partsOf(context: Context, imageId: string): readonly ImagePart[] {
  const image = context.deps.images.list().find(({ id }) => id === imageId);
  return image === undefined ? [] : [...image.parts, ...image.onDemand];
}

/** What can be done with this VPS: its technique's features, less what a guest that nobody prepared lacks. */
export const featuresOf = (context: Context, record: Named): Features =>
  requireDriver(context, record.technique).features(record.technique, partsOf(context, record.imageId));

/** Why something that the technique can do cannot be done with this guest. */
export const noAgent = (name: string): MullionError =>
  new MullionError(
    'not_supported',
    `The guest of ${name} boots an operating system of its own, in which no agent of Mullion runs to do that.`,
    {
      remedy: `Use its console: mullion console ${name}, or its screen: mullion console ${name} --vga`,
      details: { name },
    },
  );
