import { randomBytes } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ImageSchema } from '../contract/resources.ts';
import type { ImageRecord } from './image-store.ts';

const RECORD_FILE = 'image.json';
const ImageRecordSchema = ImageSchema.omit({ usedBy: true });

/** Written last: an image without it is not whole. */
export async function writeImageRecord(folder: string, record: ImageRecord): Promise<void> {
  const path = join(folder, RECORD_FILE);
  await writeFile(`${path}.new`, `${JSON.stringify(record, null, 2)}\n`, { mode: 0o600, flush: true });
  await rename(`${path}.new`, path);
}

/** Undefined when it is missing, cannot be read, or belongs to another id. */
export async function readImageRecord(folder: string, id: string): Promise<ImageRecord | undefined> {
  try {
    const record = ImageRecordSchema.parse(JSON.parse(await readFile(join(folder, RECORD_FILE), 'utf8')));
    return record.id === id ? record : undefined;
  } catch {
    return undefined;
  }
}

/** An image of which nothing is there yet. */
export const newImageRecord = (
  project: string,
  name: string,
  origin: string,
  architecture: string,
): ImageRecord => ({
  id: `image-${randomBytes(8).toString('hex')}`,
  name,
  project,
  origin,
  digest: '',
  parts: [],
  onDemand: [],
  program: null,
  size: 0,
  minimumDisk: 0,
  architecture,
  createdAt: new Date().toISOString(),
});
