import { MullionError } from '../contract/errors.ts';
import { MIB } from '../contract/sizes.ts';

/** @throws MullionError `insufficient_disk` when less than `needed` bytes are free there */
export function requireSpace(needed: number, { free }: { readonly free: number }, where: string): void {
  if (free >= needed) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  throw new MullionError(
    'insufficient_disk',
    `The image needs ${mib(needed)}; ${mib(free)} are free at ${where}.`,
    {
      remedy: 'Free space there, or grow the pool: mullion pool grow',
      details: { needed, free, where },
    },
  );
}

/** Bytes on the disk for each byte of package: packages are compressed about threefold, and an image holds them twice. */
const PARTS_OF_PACKAGE = 8;

/** What the parts of an image will take about, told from its packages. */
export const estimateParts = (packageBytes: number): number => packageBytes * PARTS_OF_PACKAGE;
