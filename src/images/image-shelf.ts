import { MullionError } from '../contract/errors.ts';
import type { Logger } from '../core/logger.ts';
import { UndoStack } from '../core/undo.ts';
import type { VolumeBackend } from '../storage/volume.ts';
import { folderSize } from './folder-size.ts';
import { readImageRecord, writeImageRecord } from './image-record.ts';
import type { ImageRecord } from './image-store.ts';
import { guardSpace, requireSpace } from './space.ts';

/** The sealed images of a pool, each a folder with its record. */
export class ImageShelf {
  readonly #pool: VolumeBackend;
  readonly #logger: Logger;
  readonly #records = new Map<string, ImageRecord>();

  constructor(pool: VolumeBackend, logger: Logger) {
    this.#pool = pool;
    this.#logger = logger;
  }

  /** Reads what is there and removes what is half made; answers the ids of sealed folders without a record. */
  async open(): Promise<string[]> {
    this.#records.clear();
    const strangers: string[] = [];
    for (const { id, sealed } of await this.#pool.listImages()) {
      if (!sealed) {
        await this.#pool.deleteImage(id);
        continue;
      }
      const record = await readImageRecord(this.#pool.imagePath(id), id);
      if (record === undefined) strangers.push(id);
      else this.#records.set(id, record);
    }
    return strangers;
  }

  list(): readonly ImageRecord[] {
    return [...this.#records.values()].sort((left, right) => (left.createdAt < right.createdAt ? -1 : 1));
  }

  get(id: string): ImageRecord | undefined {
    return this.#records.get(id);
  }

  /** @throws MullionError `not_found` */
  require(id: string): ImageRecord {
    const record = this.#records.get(id);
    if (record !== undefined) return record;
    throw new MullionError('not_found', `There is no image with the id ${id}.`);
  }

  /**
   * Has a new folder filled and makes it an image; a failure leaves nothing. `fill` gets a signal that also aborts
   * when the pool nears its end. @throws MullionError `insufficient_disk`
   */
  async add(
    skeleton: ImageRecord,
    needed: number,
    signal: AbortSignal,
    fill: (staging: string, signal: AbortSignal) => Promise<ImageRecord>,
  ): Promise<ImageRecord> {
    const { id } = skeleton;
    requireSpace(needed, await this.#pool.info(), this.#pool.imagePath(id));
    await using undo = new UndoStack((what, failure) =>
      this.#logger.error('undoing a step of an image failed', { what, failure: String(failure) }),
    );
    using guard = guardSpace(this.#pool, `the image ${skeleton.name}`, needed);
    const staging = await guard.explain(this.#pool.stageImage(id));
    undo.push('staged image', () => this.#pool.deleteImage(id));
    const filled = await guard.explain(fill(staging, AbortSignal.any([signal, guard.signal])));
    const record = { ...filled, size: filled.size > 0 ? filled.size : await folderSize(staging, signal) };
    await writeImageRecord(staging, record);
    await this.#pool.sealImage(id);
    undo.commit();
    this.#records.set(id, record);
    return record;
  }

  async delete(id: string): Promise<void> {
    await this.#pool.deleteImage(id);
    this.#records.delete(id);
  }
}
