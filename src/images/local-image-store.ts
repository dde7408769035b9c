import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import { DEFAULT_PROJECT } from '../contract/names.ts';
import type { BuildImageRequest } from '../contract/resources.ts';
import type { Logger } from '../core/logger.ts';
import { UndoStack } from '../core/undo.ts';
import type { ImageFiles } from '../drivers/driver.ts';
import { hostFacts } from '../host/facts.ts';
import { run } from '../host/run.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { type Artifact, PARTS } from './artifact.ts';
import { ArtifactBuilder } from './artifact-builder.ts';
import { ArtifactCache } from './artifact-cache.ts';
import { readImageRecord, writeImageRecord } from './image-record.ts';
import type { ImageProgress, ImageRecord, ImageStore } from './image-store.ts';
import { recipeOf } from './recipe.ts';
import { requireSpace } from './space.ts';

export interface ImageStoreOptions {
  readonly pool: VolumeBackend;
  /** Holds downloaded packages and finished builds; may be shared by installations, and deleted. */
  readonly cacheDirectory: string;
  readonly logger: Logger;
  /** Where apt's sources are read; default /etc/apt. */
  readonly aptFolder?: string | undefined;
}

const COPY_MS = 1_800_000;

/** The store of this node's images, read and cleaned. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const store = new LocalImageStore(options);
  await store.open();
  return store;
}

/** Images in a pool; built in a cache, from which each build is copied into the pool. */
export class LocalImageStore implements ImageStore {
  readonly #pool: VolumeBackend;
  readonly #logger: Logger;
  readonly #cache: ArtifactCache;
  readonly #builder: ArtifactBuilder;
  readonly #records = new Map<string, ImageRecord>();

  constructor({ pool, cacheDirectory, logger, aptFolder }: ImageStoreOptions) {
    this.#pool = pool;
    this.#logger = logger;
    this.#cache = new ArtifactCache(cacheDirectory);
    this.#builder = new ArtifactBuilder(this.#cache, cacheDirectory, aptFolder);
  }

  async open(): Promise<void> {
    await this.#cache.open();
    this.#records.clear();
    for (const { id, sealed } of await this.#pool.listImages()) {
      if (!sealed) {
        await this.#pool.deleteImage(id);
        continue;
      }
      const record = await readImageRecord(this.#pool.imagePath(id), id);
      if (record === undefined) this.#logger.warn('an image cannot be read and is left alone', { image: id });
      else this.#records.set(id, record);
    }
  }

  list(): readonly ImageRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.createdAt < right.createdAt ? -1 : 1));
  }

  find(project: string, name: string): ImageRecord | undefined {
    const named = this.list().filter((record) => record.name === name);
    return (
      named.findLast((record) => record.project === project) ??
      named.findLast((record) => record.project === DEFAULT_PROJECT)
    );
  }

  files(id: string): ImageFiles {
    const record = this.#records.get(id);
    if (record === undefined) throw new MullionError('not_found', `There is no image with the id ${id}.`);
    const folder = this.#pool.imagePath(id);
    return {
      id,
      ...(record.parts.includes('rootfs') ? { rootfs: join(folder, PARTS.rootfs) } : {}),
      ...(record.parts.includes('disk') ? { disk: join(folder, PARTS.disk) } : {}),
      ...(record.parts.includes('kernel')
        ? { kernel: { vmlinuz: join(folder, PARTS.vmlinuz), initramfs: join(folder, PARTS.initramfs) } }
        : {}),
    };
  }

  async build(
    project: string,
    request: BuildImageRequest,
    onProgress: (progress: ImageProgress) => void,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    const recipe = recipeOf(request, hostFacts().architecture);
    const plan = await this.#builder.plan(recipe, onProgress, signal);
    using _lock = await this.#cache.lock(plan.key, signal, () =>
      onProgress({ step: 'wait for another build of the same image' }),
    );
    const digest = `sha256:${plan.key}`;
    const same = this.list().find(
      (record) => record.project === project && record.name === request.name && record.digest === digest,
    );
    if (same !== undefined) return same;
    const artifact = await this.#builder.obtain(plan, this.#pool, onProgress, signal);
    const record = recordOf(
      artifact,
      project,
      request.name,
      `mmdebstrap ${recipe.suite}`,
      recipe.architecture,
    );
    onProgress({ step: 'copy into the pool' });
    await this.#import(record, this.#cache.folder(plan.key), signal);
    this.#records.set(record.id, record);
    return record;
  }

  async adopt(record: ImageRecord, fill: (folder: string) => Promise<void>): Promise<ImageRecord> {
    await this.#stage(record, fill);
    this.#records.set(record.id, record);
    return record;
  }

  async delete(id: string): Promise<void> {
    if (!this.#records.has(id)) throw new MullionError('not_found', `There is no image with the id ${id}.`);
    await this.#pool.deleteImage(id);
    this.#records.delete(id);
  }

  #import(record: ImageRecord, source: string, signal: AbortSignal): Promise<void> {
    const parts = Object.values(PARTS).map((name) => join(source, name));
    return this.#stage(record, async (staging) => {
      await run(
        [
          'cp',
          '--archive',
          '--reflink=auto',
          '--sparse=always',
          '--target-directory',
          staging,
          '--',
          ...parts,
        ],
        { timeoutMs: COPY_MS, signal },
      );
    });
  }

  async #stage(record: ImageRecord, fill: (folder: string) => Promise<void>): Promise<void> {
    requireSpace(record.size, await this.#pool.info(), this.#pool.imagePath(record.id));
    await using undo = new UndoStack((what, failure) =>
      this.#logger.error('undoing a step of an image failed', { what, failure: String(failure) }),
    );
    const staging = await this.#pool.stageImage(record.id);
    undo.push('staged image', () => this.#pool.deleteImage(record.id));
    await fill(staging);
    await writeImageRecord(staging, record);
    await this.#pool.sealImage(record.id);
    undo.commit();
  }
}

const recordOf = (
  artifact: Artifact,
  project: string,
  name: string,
  origin: string,
  architecture: string,
): ImageRecord => ({
  id: `image-${randomBytes(8).toString('hex')}`,
  name,
  project,
  origin,
  digest: `sha256:${artifact.key}`,
  parts: ['rootfs', 'disk', 'kernel'],
  size: artifact.size,
  minimumDisk: artifact.minimumDisk,
  architecture,
  createdAt: new Date().toISOString(),
});
