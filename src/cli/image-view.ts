import type { Image } from '../contract/resources.ts';

/** The parts of an image; those that are made when first needed stand in brackets. */
export const partsText = ({ parts, onDemand }: Pick<Image, 'parts' | 'onDemand'>, separator = ' '): string =>
  [...parts, ...onDemand.map((part) => `(${part})`)].join(separator);
