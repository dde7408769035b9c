import { chmodSync, chownSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { hideLower } from '../../host/overlay-marks.ts';
import type { Conversion, ConversionProgress } from '../converter.ts';
import type { ConverterDeps } from './local-converter.ts';
import { refuse } from './refuse.ts';
import { unpackDisk } from './unpack-disk.ts';

const REMEDIES = {
  'file system': 'Convert it to a technique that gives it a disk: full, hardware, kernel or para',
  content: 'Change that inside the VPS, then convert it again',
} as const;

/** Makes a root of a disk: all of its files as the VPS's own layer, which hides the image's. */
export async function rootFromDisk(
  { jails }: ConverterDeps,
  { source, target, image }: Conversion,
  onProgress: (progress: ConversionProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  if (image.rootfs === undefined) {
    throw new MullionError('image_unfit', `The image ${image.id} has no root file system.`);
  }
  const upper = join(target, 'upper');
  for (const [path, mode] of [
    [upper, 0o755],
    [join(target, 'work'), 0o700],
  ] as const) {
    mkdirSync(path, { mode });
    chownSync(path, 0, 0);
    chmodSync(path, mode);
  }
  await unpackDisk(
    jails,
    {
      source,
      target: upper,
      scratch: join(target, 'reading'),
      onFiles: (done) => onProgress({ step: 'copy the files', done, unit: 'items' }),
      unfit: (message, kind) => refuse(message, REMEDIES[kind]),
    },
    signal,
  );
  hideLower(upper, image.rootfs);
}
