import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import type { ExportFormat, ImportImageRequest, PullImageRequest } from '../contract/image-requests.ts';
import { DEFAULT_PROJECT } from '../contract/names.ts';
import type { BuildImageRequest, ImagePart } from '../contract/resources.ts';
import type { Logger } from '../core/logger.ts';
import type { ImageFiles } from '../drivers/driver.ts';
import { hostFacts } from '../host/facts.ts';
import type { Jails } from '../host/jail/jails.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { PARTS } from './artifact.ts';
import { DerivedParts, type PartSources } from './derived-parts.ts';
import { exportFormat } from './export/export-image.ts';
import { giveExport } from './export/give-export.ts';
import { ImageBuilds } from './image-builds.ts';
import { newImageRecord } from './image-record.ts';
import { ImageShelf } from './image-shelf.ts';
import type {
  ImageExport,
  ImageRecord,
  ImageStore,
  OnImageProgress,
  PublishSource,
  TakenImage,
} from './image-store.ts';
import {
  borrowKernel,
  type ImportWork,
  type Intake,
  importFile,
  importFromRegistry,
} from './import/importer.ts';
import { IMPORT_LIMITS, type ImportLimits } from './import/limits.ts';
import { publishVolume } from './publish/publish-volume.ts';

export interface ImageStoreOptions {
  readonly pool: VolumeBackend;
  /** Holds downloaded packages and finished builds; may be shared by installations, and deleted. */
  readonly cacheDirectory: string;
  readonly logger: Logger;
  readonly jails: Jails;
  /** Where apt's sources are read; default /etc/apt. */
  readonly aptFolder?: string | undefined;
  readonly limits?: Partial<ImportLimits> | undefined;
}

/** The host's rules on signatures of images (containers-policy.json(5)). */
const POLICY_FOLDER = '/etc/containers';

/** The store of this node's images, read and cleaned. */
export async function openImageStore(options: ImageStoreOptions): Promise<ImageStore> {
  const store = new LocalImageStore(options);
  await store.open();
  return store;
}

/** Images in a pool; built in a cache, from which each build is copied into the pool, or taken from elsewhere. */
export class LocalImageStore implements ImageStore {
  readonly #builds: ImageBuilds;
  readonly #pool: VolumeBackend;
  readonly #jails: Jails;
  readonly #limits: ImportLimits;
  readonly #shelf: ImageShelf;
  readonly #derived: DerivedParts;

  constructor({ pool, cacheDirectory, logger, aptFolder, jails, limits }: ImageStoreOptions) {
    this.#pool = pool;
    this.#jails = jails;
    this.#limits = { ...IMPORT_LIMITS, ...limits };
    this.#shelf = new ImageShelf(pool, logger);
    this.#builds = new ImageBuilds(pool, this.#shelf, { cacheDirectory, aptFolder, jails });
    this.#derived = new DerivedParts(pool, jails, logger);
  }

  async open(): Promise<void> {
    await this.#jails.sweep();
    await this.#builds.open();
    const strangers = await this.#shelf.open();
    await this.#derived.open(strangers, (id) => this.#shelf.get(id) !== undefined);
  }

  list(): readonly ImageRecord[] {
    return this.#shelf.list();
  }

  find(project: string, name: string): ImageRecord | undefined {
    const named = this.list().filter((record) => record.name === name);
    return (
      named.findLast((record) => record.project === project) ??
      named.findLast((record) => record.project === DEFAULT_PROJECT)
    );
  }

  files(id: string): ImageFiles {
    const record = this.#shelf.require(id);
    const folder = this.#pool.imagePath(id);
    const path = (part: ImagePart, file: string): string | undefined =>
      record.parts.includes(part) ? join(folder, file) : undefined;
    return {
      id,
      rootfs: path('rootfs', PARTS.rootfs) ?? this.#derived.path(id, 'rootfs'),
      disk: path('disk', PARTS.disk) ?? this.#derived.path(id, 'disk'),
      bootDisk: path('boot-disk', PARTS.bootDisk),
      iso: path('iso', PARTS.iso),
      ...(record.parts.includes('kernel')
        ? { kernel: { vmlinuz: join(folder, PARTS.vmlinuz), initramfs: join(folder, PARTS.initramfs) } }
        : {}),
      ...(record.program === null ? {} : { program: record.program }),
    };
  }

  build(
    project: string,
    request: BuildImageRequest,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<ImageRecord> {
    return this.#builds.build(project, request, onProgress, signal);
  }

  import(
    project: string,
    request: ImportImageRequest,
    content: AsyncIterable<Buffer>,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage> {
    return this.#take(
      project,
      request,
      request.origin || 'a file',
      request.size ?? 0,
      onProgress,
      signal,
      (work) => importFile(work, request, content),
    );
  }

  pull(
    project: string,
    request: PullImageRequest,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage> {
    const policy = existsSync(join(POLICY_FOLDER, 'policy.json')) ? POLICY_FOLDER : undefined;
    return this.#take(project, request, `docker://${request.reference}`, 0, onProgress, signal, (work) =>
      importFromRegistry(work, request, policy),
    );
  }

  publish(
    project: string,
    request: { readonly name: string; readonly origin: string },
    source: PublishSource,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<TakenImage> {
    const base = this.files(source.base);
    const program = this.#shelf.require(source.base).program;
    return this.#take(project, request, request.origin, 0, onProgress, signal, async (work) =>
      publishVolume(work, { volume: source.volume, base, program }),
    );
  }

  async #take(
    project: string,
    { name, kernelFrom }: { readonly name: string; readonly kernelFrom?: string | undefined },
    origin: string,
    size: number,
    onProgress: OnImageProgress,
    signal: AbortSignal,
    take: (work: ImportWork) => Promise<Intake>,
  ): Promise<TakenImage> {
    const { architecture } = hostFacts();
    const kernel = kernelFrom === undefined ? undefined : await this.#kernelOf(project, kernelFrom, signal);
    const skeleton = newImageRecord(project, name, origin, architecture);
    let warnings: readonly string[] = [];
    const record = await this.#shelf.add(skeleton, size, signal, async (staging, guarded) => {
      const work = {
        jails: this.#jails,
        limits: this.#limits,
        architecture,
        staging,
        onProgress,
        signal: guarded,
      };
      let intake = await take(work);
      if (kernel !== undefined) intake = await borrowKernel(work, intake, kernel);
      warnings = intake.warnings;
      const { digest, parts, onDemand, minimumDisk, program } = intake;
      return { ...skeleton, digest, parts, onDemand, minimumDisk, program };
    });
    return { record, warnings };
  }

  async #kernelOf(
    project: string,
    name: string,
    signal: AbortSignal,
  ): Promise<Parameters<typeof borrowKernel>[2]> {
    const image = this.find(project, name);
    // Its modules lie among its files.
    if (image?.parts.includes('kernel')) await this.provide(image.id, ['rootfs'], signal);
    const files = image === undefined ? undefined : this.files(image.id);
    if (files?.kernel === undefined) {
      throw new MullionError('image_unfit', `There is no image ${name} with a kernel to take.`, {
        remedy: 'Build one with: mullion image build debian/12',
      });
    }
    const modules = files.rootfs === undefined ? undefined : join(files.rootfs, 'usr/lib/modules');
    return { ...files.kernel, modules: modules !== undefined && existsSync(modules) ? modules : undefined };
  }

  async provide(id: string, parts: readonly ImagePart[], signal: AbortSignal): Promise<void> {
    const record = this.#shelf.require(id);
    const sources = (): PartSources => {
      const { disk, rootfs } = this.files(id);
      return { disk, rootfs };
    };
    await this.#derived.make(record, parts, sources, signal);
  }

  async export(
    id: string,
    asked: ExportFormat | undefined,
    onProgress: OnImageProgress,
    signal: AbortSignal,
  ): Promise<ImageExport> {
    const record = this.#shelf.require(id);
    const format = exportFormat(record, asked);
    const part = format === 'iso' ? undefined : format === 'tar' || format === 'oci' ? 'rootfs' : 'disk';
    if (part !== undefined && record.onDemand.includes(part)) {
      onProgress({ step: part === 'disk' ? 'make the disk' : 'make the root file system' });
      await this.provide(id, [part], signal);
    }
    return giveExport(
      { pool: this.#pool, jails: this.#jails },
      record,
      this.files(id),
      format,
      onProgress,
      signal,
    );
  }

  adopt(record: ImageRecord, fill: (folder: string) => Promise<void>): Promise<ImageRecord> {
    return this.#shelf.add(record, record.size, new AbortController().signal, async (staging) => {
      await fill(staging);
      return record;
    });
  }

  async delete(id: string): Promise<void> {
    this.#shelf.require(id);
    await this.#derived.delete(id);
    await this.#shelf.delete(id);
  }
}
