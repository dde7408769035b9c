import { join } from 'node:path';
import type { BuildImageRequest } from '../contract/resources.ts';
import { hostFacts } from '../host/facts.ts';
import type { Jails } from '../host/jail/jails.ts';
import { run } from '../host/run.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { type Artifact, BUILT_PARTS } from './artifact.ts';
import { ArtifactBuilder } from './artifact-builder.ts';
import { ArtifactCache } from './artifact-cache.ts';
import { newImageRecord } from './image-record.ts';
import type { ImageShelf } from './image-shelf.ts';
import type { ImageRecord, OnImageProgress } from './image-store.ts';
import { recipeOf } from './recipe.ts';

const COPY_MS = 1_800_000;

export interface BuildPlaces {
  readonly cacheDirectory: string;
  readonly aptFolder: string | undefined;
  readonly jails: Jails;
}

/** Builds images in a cache, from which each is copied into the pool. */
export class ImageBuilds {
  readonly #cache: ArtifactCache;
  readonly #builder: ArtifactBuilder;
  readonly #pool: VolumeBackend;
  readonly #shelf: ImageShelf;

  constructor(pool: VolumeBackend, shelf: ImageShelf, { cacheDirectory, aptFolder, jails }: BuildPlaces) {
    this.#pool = pool;
    this.#shelf = shelf;
    this.#cache = new ArtifactCache(cacheDirectory);
    this.#builder = new ArtifactBuilder(this.#cache, cacheDirectory, jails, aptFolder);
  }

  open(): Promise<void> {
    return this.#cache.open();
  }

  async build(
    project: string,
    request: BuildImageRequest,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    const recipe = recipeOf(request, hostFacts().architecture);
    const plan = await this.#builder.plan(recipe, onProgress, signal);
    using _lock = await this.#cache.lock(plan.key, signal, () =>
      onProgress({ step: 'wait for another build of the same image' }),
    );
    const digest = `sha256:${plan.key}`;
    const same = this.#shelf
      .list()
      .find(
        (record) => record.project === project && record.name === request.name && record.digest === digest,
      );
    if (same !== undefined) return same;
    const artifact = await this.#builder.obtain(plan, this.#pool, onProgress, signal);
    onProgress({ step: 'copy into the pool' });
    const skeleton = newImageRecord(project, request.name, `mmdebstrap ${recipe.suite}`, recipe.architecture);
    return this.#shelf.add(skeleton, artifact.size, signal, async (staging) => {
      const parts = BUILT_PARTS.map((name) => join(this.#cache.folder(plan.key), name));
      const copy = ['cp', '--archive', '--reflink=auto', '--sparse=always', '--target-directory', staging];
      await run([...copy, '--', ...parts], { timeoutMs: COPY_MS, signal });
      return builtRecord(skeleton, artifact);
    });
  }
}

const builtRecord = (skeleton: ImageRecord, artifact: Artifact): ImageRecord => ({
  ...skeleton,
  digest: `sha256:${artifact.key}`,
  parts: ['rootfs', 'disk', 'kernel'],
  size: artifact.size,
  minimumDisk: artifact.minimumDisk,
});
