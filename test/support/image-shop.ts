import { chmodSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Readable } from 'node:stream';
import { type ImportImageRequest, ImportImageRequestSchema } from '../../src/contract/image-requests.ts';
import { silentLogger } from '../../src/core/logger.ts';
import type { ImageStore, TakenImage } from '../../src/images/image-store.ts';
import type { ImportLimits } from '../../src/images/import/limits.ts';
import { openImageStore } from '../../src/images/local-image-store.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import type { VolumeBackend } from '../../src/storage/volume.ts';
import { jailsIn } from './jails.ts';
import { scratchDirectory } from './scratch.ts';

const plainFolders = (folder: string): VolumeBackend =>
  new DirPool(join(folder, 'pool'), 'test', join(folder, 'lock'));

/** A store of images in a temporary folder, with all that taking one needs. */
export class ImageShop implements Disposable {
  readonly #scratch: ReturnType<typeof scratchDirectory>;
  readonly store: ImageStore;
  readonly steps = new Set<string>();

  private constructor(store: ImageStore, scratch: ReturnType<typeof scratchDirectory>) {
    this.store = store;
    this.#scratch = scratch;
  }

  /** `poolIn` makes the pool in a folder; plain folders when absent. */
  static async open(
    limits: Partial<ImportLimits> = {},
    poolIn: (folder: string) => VolumeBackend = plainFolders,
  ): Promise<ImageShop> {
    const scratch = scratchDirectory('image-shop');
    chmodSync(scratch.path, 0o711);
    const pool = poolIn(scratch.path);
    await pool.open();
    const store = await openImageStore({
      pool,
      cacheDirectory: join(scratch.path, 'cache'),
      logger: silentLogger,
      jails: jailsIn(scratch.path),
      limits,
    });
    return new ImageShop(store, scratch);
  }

  get path(): string {
    return this.#scratch.path;
  }

  take(bytes: Buffer | Readable, request: Partial<ImportImageRequest> = {}): Promise<TakenImage> {
    const whole = ImportImageRequestSchema.parse({ name: 'taken', ...request });
    const content = bytes instanceof Readable ? bytes : Readable.from([bytes]);
    const onProgress = ({ step }: { readonly step: string }): void => void this.steps.add(step);
    return this.store.import('default', whole, content, onProgress, new AbortController().signal);
  }

  /** What lies in the pool and in the jails' places. */
  left(): string[] {
    const names = (path: string): string[] => {
      try {
        return readdirSync(path).map((name) => join(path, name));
      } catch {
        return [];
      }
    };
    return [
      ...names(join(this.path, 'pool/images')),
      ...names(join(this.path, 'pool/making')),
      ...names(join(this.path, 'run/jails')),
      // crun keeps filters of system calls there that it has compiled.
      ...names(join(this.path, 'run/oci-jails')).filter((path) => basename(path) !== '.cache'),
    ];
  }

  [Symbol.dispose](): void {
    this.#scratch[Symbol.dispose]();
  }
}
