import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { SavedNode } from '../../backup/backup.ts';
import { MullionError } from '../../contract/errors.ts';
import { findLayered, type LayerNode } from '../../core/layered-path.ts';
import type { Context } from '../context.ts';
import { withinRoom } from '../pool-room.ts';
import { DEFINITION_FILE, type Definition } from './definition.ts';
import { type FoundBackup, readDefinition } from './found.ts';
import { scratchVolume } from './scratch-volume.ts';

/** A layer over the image's, as a driver fills a volume; else there are disks. */
const UPPER = 'upper';
const LOWER = 'rootfs';

/** One file of a backup, found as the VPS would see it. The repository is held until the stream has ended. */
export async function readBackupFile(
  context: Context,
  found: FoundBackup,
  path: string,
  signal: AbortSignal,
): Promise<Readable> {
  const hold = context.repositoriesHeld.hold(found.repository.id);
  const release = (): void => hold[Symbol.dispose]();
  try {
    const content = await openFile(context, found, path, signal);
    void finished(content).then(release, release);
    return content;
  } catch (failure) {
    release();
    throw failure;
  }
}

async function openFile(
  context: Context,
  found: FoundBackup,
  path: string,
  signal: AbortSignal,
): Promise<Readable> {
  const { backups } = context.deps;
  const { repository, saved } = found;
  const definition = await readDefinition(context, found);
  const top = await backups.entries(repository, saved.id, '', signal);
  if (!top.some(({ name, type }) => name === UPPER && type === 'directory')) {
    return readOffDisk(context, found, definition, top, path, signal);
  }
  const look =
    (id: string, prefix: string) =>
    (place: string): Promise<LayerNode | undefined> =>
      backups.look(repository, id, `${prefix}/${place}`, signal);
  const image = definition.imageSaved;
  const file = await findLayered(path, look(saved.id, UPPER), look(image, LOWER));
  return file.layer === 'upper'
    ? backups.read(repository, saved.id, `${UPPER}/${file.path}`, signal)
    : backups.read(repository, image, `${LOWER}/${file.path}`, signal);
}

/** The disk comes back into a scratch volume, which goes when the stream has ended. */
async function readOffDisk(
  context: Context,
  { repository, saved }: FoundBackup,
  { vps, used }: Definition,
  top: readonly SavedNode[],
  path: string,
  signal: AbortSignal,
): Promise<Readable> {
  const { backups, pool, disks: inspector, logger } = context.deps;
  const [disk] = top
    .filter(({ name, type }) => type === 'file' && name !== DEFINITION_FILE)
    .toSorted((a, b) => b.size - a.size);
  if (disk === undefined) throw new MullionError('backup_damaged', 'The backup holds no data.');
  const except = top.map(({ name }) => name).filter((name) => name !== disk.name);
  const volume = await scratchVolume(context, `backup-${randomBytes(8).toString('hex')}`);
  try {
    await withinRoom(context, `the disk of ${vps.name}`, used, signal, async (guarded) => {
      const { size } = await pool.info();
      await pool.createVolume(volume.id, Math.min(size, disk.size + SLACK));
      await backups.restore(repository, saved.id, { target: volume.path, except, signal: guarded });
    });
    const content = await inspector.read(join(volume.path, disk.name), path, signal);
    finished(content)
      .catch(() => undefined)
      .then(() => volume[Symbol.asyncDispose]())
      .catch((failure: unknown) => logger.error('cannot clear up', { volume: volume.id, failure }));
    return content;
  } catch (failure) {
    await volume[Symbol.asyncDispose]();
    throw failure;
  }
}

const SLACK = 64 * 1024 * 1024;
