import { existsSync } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import type { ImagePart } from '../contract/resources.ts';
import type { Logger } from '../core/logger.ts';
import type { Jails } from '../host/jail/jails.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { PARTS } from './artifact.ts';
import { unpackDisk } from './convert/unpack-disk.ts';
import { diskSize, renderMakeDisk } from './disk-image.ts';
import { folderSize } from './folder-size.ts';
import type { ImageRecord } from './image-store.ts';
import { lastLine } from './import/decompress.ts';
import { FILE_OWNER } from './import/unpack-tar.ts';
import { guardSpace, requireSpace } from './space.ts';

/** Parts that can be made of others, and the files that they are. */
const FILES = { disk: PARTS.disk, rootfs: PARTS.rootfs } as const;
export type DerivedPart = keyof typeof FILES;
/** Where the other part lies that it is made of. */
export type PartSources = Readonly<Record<DerivedPart, string | undefined>>;

const isDerived = (part: ImagePart): part is DerivedPart => part in FILES;
const folderOf = (id: string, part: DerivedPart): string => `${id}.${part}`;
const TRIES = 4;

/** Parts that are made of an image's others when first needed; each in a folder of the pool that goes with the image. */
export class DerivedParts {
  readonly #pool: VolumeBackend;
  readonly #jails: Jails;
  readonly #logger: Logger;
  readonly #making = new Map<string, Promise<void>>();

  constructor(pool: VolumeBackend, jails: Jails, logger: Logger) {
    this.#pool = pool;
    this.#jails = jails;
    this.#logger = logger;
  }

  /** Of folders without a record of their own, collects those whose image is gone. */
  async open(strangers: readonly string[], exists: (id: string) => boolean): Promise<void> {
    for (const folder of strangers) {
      const [, id = ''] = /^(.*)\.(?:disk|rootfs)$/.exec(folder) ?? [];
      if (id === '') this.#logger.warn('an image cannot be read and is left alone', { image: folder });
      else if (!exists(id)) await this.#pool.deleteImage(folder);
    }
  }

  path(id: string, part: DerivedPart): string | undefined {
    const path = join(this.#pool.imagePath(folderOf(id, part)), FILES[part]);
    return existsSync(path) ? path : undefined;
  }

  async delete(id: string): Promise<void> {
    for (const part of ['disk', 'rootfs'] as const) await this.#pool.deleteImage(folderOf(id, part));
  }

  /** Makes those of the parts that are missing; each once, whoever asks meanwhile. @throws MullionError */
  async make(
    image: ImageRecord,
    parts: readonly ImagePart[],
    sources: () => PartSources,
    signal: AbortSignal,
  ): Promise<void> {
    for (const part of parts.filter(isDerived)) {
      const key = folderOf(image.id, part);
      // What another caller began may end with that caller's own task: then it is this one's to make.
      for (;;) {
        const under = this.#making.get(key);
        if (under === undefined) break;
        await under.catch(() => undefined);
        signal.throwIfAborted();
      }
      const { [part]: present, disk, rootfs } = sources();
      const source = part === 'disk' ? rootfs : disk;
      if (present !== undefined || source === undefined) continue;
      const making = this.#make(image, part, source, signal).finally(() => this.#making.delete(key));
      this.#making.set(key, making);
      await making;
    }
  }

  async #make(image: ImageRecord, part: DerivedPart, source: string, signal: AbortSignal): Promise<void> {
    const derived = folderOf(image.id, part);
    const content = part === 'disk' ? await folderSize(source, signal) : (await stat(source)).blocks * 512;
    const needed = part === 'disk' ? diskSize(content) : content;
    requireSpace(needed, await this.#pool.info(), 'the pool');
    await this.#pool.deleteImage(derived);
    using guard = guardSpace(this.#pool, `the ${part} of the image ${image.name}`, needed);
    const staging = await guard.explain(this.#pool.stageImage(derived));
    try {
      const guarded = AbortSignal.any([signal, guard.signal]);
      const filling =
        part === 'disk'
          ? this.#fillDisk(staging, source, content, image.name, guarded)
          : this.#fillRoot(staging, source, image.name, guarded);
      await guard.explain(filling);
      await this.#pool.sealImage(derived);
    } catch (failure) {
      await this.#pool.deleteImage(derived);
      throw failure;
    }
  }

  async #fillRoot(staging: string, disk: string, name: string, signal: AbortSignal): Promise<void> {
    const target = join(staging, PARTS.rootfs);
    await mkdir(target, { mode: 0o755 });
    const unpacking = {
      source: dirname(disk),
      target,
      scratch: join(staging, 'reading'),
      onFiles: () => undefined,
      unfit: (message: string) =>
        new MullionError(
          'image_unfit',
          `The disk of the image ${name} cannot become a root file system: ${message}`,
          {
            remedy: 'Launch it with a technique that boots its disk: full, hardware, kernel or para',
            details: { image: name },
          },
        ),
    };
    await unpackDisk(this.#jails, unpacking, signal);
  }

  async #fillDisk(
    staging: string,
    rootfs: string,
    content: number,
    name: string,
    signal: AbortSignal,
  ): Promise<void> {
    for (let attempt = 0; ; attempt++) {
      const { code, stderr } = await this.#jails.run(
        {
          argv: renderMakeDisk('/in', `/out/${PARTS.disk}`, diskSize(content, attempt)),
          mounts: [
            { source: rootfs, target: '/in', access: 'read' },
            { source: staging, target: '/out', access: 'write' },
          ],
          capabilities: FILE_OWNER,
          timeoutMs: 1_800_000,
        },
        signal,
      );
      if (code === 0) return;
      // Only by trying does it show that many small files need more than their bytes.
      if (attempt + 1 < TRIES && /allocate|space/i.test(stderr)) continue;
      throw new MullionError(
        'command_failed',
        `No disk could be made of the image ${name}: ${lastLine(stderr)}`,
      );
    }
  }
}
