import { randomBytes } from 'node:crypto';
import type { ExportFormat } from '../../contract/image-requests.ts';
import type { ImageFiles } from '../../drivers/driver.ts';
import type { Jails } from '../../host/jail/jails.ts';
import type { VolumeBackend } from '../../storage/volume.ts';
import type { ImageExport, ImageRecord, OnImageProgress } from '../image-store.ts';
import { guardSpace } from '../space.ts';
import { exportImage, roomToExport } from './export-image.ts';

interface Place {
  readonly pool: VolumeBackend;
  readonly jails: Jails;
}

/** Gives an image whose parts are there as a file; what must be made first lies in the pool until it is given. */
export async function giveExport(
  { pool, jails }: Place,
  image: ImageRecord,
  files: ImageFiles,
  format: ExportFormat,
  onProgress: OnImageProgress,
  signal: AbortSignal,
): Promise<ImageExport> {
  const needed = await roomToExport(files, format, signal);
  if (needed === 0) {
    const file = await exportImage({ jails, folder: '', onProgress, signal }, image, files, format);
    return { ...file, [Symbol.asyncDispose]: async () => undefined };
  }
  const scratch = `export-${randomBytes(8).toString('hex')}`;
  using guard = guardSpace(pool, `the export of ${image.name}`, needed);
  const folder = await guard.explain(pool.stageImage(scratch));
  const free = (): Promise<void> => pool.deleteImage(scratch);
  try {
    const guarded = AbortSignal.any([signal, guard.signal]);
    const work = { jails, folder, onProgress, signal: guarded };
    const file = await guard.explain(exportImage(work, image, files, format));
    return { ...file, [Symbol.asyncDispose]: free };
  } catch (failure) {
    await free();
    throw failure;
  }
}
