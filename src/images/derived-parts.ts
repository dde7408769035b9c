import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../contract/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Jails } from '../host/jail/jails.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { PARTS } from './artifact.ts';
import { diskSize, renderMakeDisk } from './disk-image.ts';
import { folderSize } from './folder-size.ts';
import type { ImageRecord } from './image-store.ts';
import { lastLine } from './import/decompress.ts';
import { FILE_OWNER } from './import/unpack-tar.ts';
import { requireSpace } from './space.ts';

const SUFFIX = '.disk';
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
    for (const id of strangers) {
      if (!id.endsWith(SUFFIX)) this.#logger.warn('an image cannot be read and is left alone', { image: id });
      else if (!exists(id.slice(0, -SUFFIX.length))) await this.#pool.deleteImage(id);
    }
  }

  disk(id: string): string | undefined {
    const path = join(this.#pool.imagePath(id + SUFFIX), PARTS.disk);
    return existsSync(path) ? path : undefined;
  }

  async delete(id: string): Promise<void> {
    await this.#pool.deleteImage(id + SUFFIX);
  }

  /** A disk with the content of the image's root file system, which is made once. */
  makeDisk(image: ImageRecord, rootfs: string, signal: AbortSignal): Promise<void> {
    const under = this.#making.get(image.id);
    if (under !== undefined) return under;
    const making = this.#make(image, rootfs, signal).finally(() => this.#making.delete(image.id));
    this.#making.set(image.id, making);
    return making;
  }

  async #make({ id, name }: ImageRecord, rootfs: string, signal: AbortSignal): Promise<void> {
    const derived = id + SUFFIX;
    const content = await folderSize(rootfs, signal);
    requireSpace(diskSize(content), await this.#pool.info(), 'the pool');
    await this.#pool.deleteImage(derived);
    const staging = await this.#pool.stageImage(derived);
    try {
      await this.#fill(staging, rootfs, content, name, signal);
      await this.#pool.sealImage(derived);
    } catch (failure) {
      await this.#pool.deleteImage(derived);
      throw failure;
    }
  }

  async #fill(
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
