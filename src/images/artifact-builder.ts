import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import { tellsOfNoRoom } from '../core/pool-room.ts';
import { spaceOf } from '../host/file-systems.ts';
import type { Jails } from '../host/jail/jails.ts';
import { hasProgram } from '../host/programs.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { renderSources } from './apt-sources.ts';
import type { Artifact } from './artifact.ts';
import type { ArtifactCache } from './artifact-cache.ts';
import { type BuildPlan, buildArtifact, takePackages } from './build-artifact.ts';
import { buildFailure } from './build-failure.ts';
import { guestFiles } from './guest-files.ts';
import { readHostArchive } from './host-sources.ts';
import type { ImageProgress } from './image-store.ts';
import { INIT_SCRIPT } from './init-script.ts';
import { BOOT_MODULES, NEEDLESS_MODULES } from './kernel-modules.ts';
import { PackageArchive } from './package-archive.ts';
import { digestOf, type Recipe } from './recipe.ts';
import { estimateParts, noRoomToBuild, requireSpace } from './space.ts';
import { waitForLock } from './waiting-lock.ts';

type OnProgress = (progress: ImageProgress) => void;

/** Raised when what is made from the same packages and files changes otherwise. */
const BUILD_VERSION = 1;
const PROGRAMS = [
  'mmdebstrap',
  'apt-get',
  'dpkg-deb',
  'mke2fs',
  'cpio',
  'depmod',
  'systemctl',
  'unshare',
  'setpriv',
];

/** Turns a recipe into a finished build in the cache. */
export class ArtifactBuilder {
  readonly #cache: ArtifactCache;
  readonly #cacheDirectory: string;
  readonly #jails: Jails;
  readonly #aptFolder: string | undefined;

  constructor(cache: ArtifactCache, cacheDirectory: string, jails: Jails, aptFolder?: string) {
    this.#jails = jails;
    this.#cache = cache;
    this.#cacheDirectory = cacheDirectory;
    this.#aptFolder = aptFolder;
  }

  /** What the recipe means today, with the digest of all that goes into it. */
  async plan(recipe: Recipe, onProgress: OnProgress, signal: AbortSignal): Promise<BuildPlan> {
    const missing = PROGRAMS.filter((program) => !hasProgram(program));
    if (missing.length > 0) {
      throw new MullionError(
        'host_unfit',
        `Building images needs programs that are missing: ${missing.join(', ')}.`,
        {
          remedy: 'Run: mullion quickstart, which installs what is missing',
        },
      );
    }
    const sources = renderSources(await readHostArchive(this.#aptFolder), recipe.suite);
    const archive = this.#archive(recipe, sources, signal);
    onProgress({ step: 'read package lists' });
    using _lock = await this.#lockArchive(recipe, signal, onProgress);
    await archive.update();
    const resolution = await archive.resolve(recipe);
    const files = guestFiles(sources);
    const recipeDigest = digestOf({ recipe, sources });
    const key = digestOf({
      recipeDigest,
      resolution,
      files,
      version: BUILD_VERSION,
      init: INIT_SCRIPT,
      modules: [BOOT_MODULES, NEEDLESS_MODULES],
    });
    return { key, recipeDigest, recipe, sources, files, resolution };
  }

  /** The build of that plan, from the cache or new. The caller holds its lock. */
  async obtain(
    plan: BuildPlan,
    pool: VolumeBackend,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<Artifact> {
    const cached = await this.#cache.read(plan.key);
    if (cached !== undefined) return cached;
    const packageBytes = plan.resolution.all.reduce((sum, { size }) => sum + size, 0);
    const needed = estimateParts(packageBytes);
    requireSpace(needed, await pool.info(), 'the pool');
    requireSpace(needed + packageBytes, await spaceOf(this.#cacheDirectory), this.#cacheDirectory);
    const staging = await this.#cache.stage(plan.key);
    try {
      await this.#download(plan, staging, onProgress, signal);
      const artifact = await buildArtifact(plan, staging, this.#jails, onProgress, signal);
      await this.#cache.keep(artifact);
      return artifact;
    } catch (failure) {
      await this.#cache.discard(plan.key);
      if (tellsOfNoRoom(failure)) throw noRoomToBuild(this.#cacheDirectory, needed + packageBytes, failure);
      throw failure;
    }
  }

  async #download(
    plan: BuildPlan,
    staging: string,
    onProgress: OnProgress,
    signal: AbortSignal,
  ): Promise<void> {
    const archive = this.#archive(plan.recipe, plan.sources, signal);
    using _lock = await this.#lockArchive(plan.recipe, signal, onProgress);
    await archive.download(plan.recipe, (done, total) =>
      onProgress({ step: 'download packages', done, total, unit: 'bytes' }),
    );
    await archive.prune(plan.resolution);
    await takePackages(archive, plan, staging).catch((failure: unknown) => {
      throw buildFailure(failure, 'taking the downloaded packages, which changed meanwhile,');
    });
  }

  #archive(recipe: Recipe, sources: string, signal: AbortSignal): PackageArchive {
    return new PackageArchive(this.#cacheDirectory, recipe, sources, signal);
  }

  #lockArchive(recipe: Recipe, signal: AbortSignal, onProgress: OnProgress): ReturnType<typeof waitForLock> {
    const path = join(this.#cacheDirectory, 'apt', `${recipe.suite}-${recipe.architecture}.lock`);
    return waitForLock(path, signal, () => onProgress({ step: 'wait for another build of the same suite' }));
  }
}
