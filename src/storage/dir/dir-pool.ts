import { chmodSync, existsSync, mkdirSync, renameSync } from 'node:fs';
import { MullionError } from '../../contract/errors.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { mountsUnder, unmount } from '../../host/mounts.ts';
import { run } from '../../host/run.ts';
import { exclusively } from '../exclusive.ts';
import { copyFolder, measureFolder, removeFolder } from '../folder-commands.ts';
import { PoolFolders, type PoolOwner } from '../pool-folders.ts';
import type { Measure, PoolInfo, PoolMeasures, VolumeBackend, VolumeSource, VolumeUsage } from '../volume.ts';
import { checkFree, checkLimit, fullnessWarnings } from '../volume-limits.ts';

const LACKS = [
  'A VPS is not stopped at its disk limit: plain folders have no quota.',
  'Copies take time and space, and there are no snapshots: plain folders cannot share data.',
];
const WAY_OUT =
  'Use a kernel with btrfs and the package btrfs-progs, then a new state directory or a pool.path on btrfs';

/** Plain folders on whatever file system is there: the fallback. */
export class DirPool implements VolumeBackend {
  readonly backend = 'dir';
  readonly features = { quota: false, reflink: false, snapshots: false, grow: false };
  readonly #folders: PoolFolders;
  readonly #owner: PoolOwner;
  readonly #lock: string;
  readonly #reasons: readonly string[];
  #deletions = 0;

  /** `reasons` says why this backend was chosen, for people. */
  constructor(root: string, instance: string, lock: string, reasons: readonly string[] = []) {
    this.#folders = new PoolFolders(root);
    this.#owner = { instance, backend: 'dir' };
    this.#lock = lock;
    this.#reasons = reasons;
  }

  open(): Promise<void> {
    mkdirSync(this.#folders.root, { recursive: true, mode: 0o711 });
    return exclusively(this.#lock, async () => {
      this.#folders.prepare(this.#owner);
      for (const path of this.#folders.leftovers()) await removeTree(path);
    });
  }

  async close(): Promise<void> {
    return undefined;
  }

  async info(): Promise<PoolInfo> {
    const { root } = this.#folders;
    const space = await spaceOf(root);
    return {
      backend: this.backend,
      path: root,
      ...space,
      volumes: this.#folders.listVolumes().length,
      features: this.features,
      warnings: [
        ...fullnessWarnings(space, `Free space in the file system of ${root}, or enlarge it`),
        ...[...this.#reasons, ...LACKS].map((message) => ({ message, remedy: WAY_OUT })),
      ],
    };
  }

  async grow(): Promise<void> {
    throw new MullionError('not_supported', 'A pool of plain folders is as large as its file system.', {
      remedy: `Enlarge the file system of ${this.#folders.root}`,
    });
  }

  async measure(): Promise<PoolMeasures> {
    const measured = async (id: string, path: string): Promise<Measure> => {
      const total = await measureFolder(path);
      return { id, total, exclusive: total };
    };
    const volumes = this.#folders.listVolumes();
    const images = this.#folders.listImages().filter(({ sealed }) => sealed);
    return {
      volumes: await Promise.all(volumes.map((id) => measured(id, this.#folders.volume(id)))),
      snapshots: [],
      images: await Promise.all(images.map(({ id }) => measured(id, this.#folders.image(id)))),
    };
  }

  async check(): Promise<never> {
    throw new MullionError('not_supported', 'Plain folders have no checksums.', {
      remedy: 'Use a btrfs pool, or check the file system with its own tools',
    });
  }

  async createVolume(id: string, limit: number): Promise<void> {
    const path = this.#folders.volume(id);
    const { size, free } = await spaceOf(this.#folders.root);
    checkLimit(limit, size);
    checkFree({ size, free });
    try {
      mkdirSync(path, { mode: 0o700 });
    } catch (cause) {
      if (!existsSync(path)) throw cause;
      throw new MullionError('already_exists', `The volume ${id} exists already.`, { cause });
    }
  }

  async deleteVolume(id: string): Promise<void> {
    await this.#discard(this.#folders.volume(id), id);
  }

  async setLimit(id: string): Promise<void> {
    this.#existing(id);
    throw new MullionError('not_supported', 'Plain folders have no quota.', {
      remedy: 'Use a btrfs pool, which stops a VPS at its disk limit',
    });
  }

  async usage(id: string): Promise<VolumeUsage> {
    return { used: await measureFolder(this.#existing(id)), limit: undefined };
  }

  async listVolumes(): Promise<string[]> {
    return this.#folders.listVolumes();
  }

  volumePath(id: string): string {
    return this.#folders.volume(id);
  }

  async createSnapshot(id: string, snapshot: string): Promise<void> {
    this.snapshotPath(id, snapshot);
    this.#existing(id);
    throw noSnapshots();
  }

  async deleteSnapshot(id: string, snapshot: string): Promise<void> {
    this.snapshotPath(id, snapshot);
  }

  async listSnapshots(id: string): Promise<string[]> {
    return this.#folders.listSnapshots(id);
  }

  snapshotPath(id: string, snapshot: string): string {
    return this.#folders.snapshot(id, snapshot);
  }

  async restoreSnapshot(id: string, snapshot: string): Promise<void> {
    this.snapshotPath(id, snapshot);
    this.#existing(id);
    throw noSnapshots();
  }

  async cloneVolume({ volume, snapshot }: VolumeSource, id: string, limit: number): Promise<void> {
    const source = this.#existing(volume);
    if (snapshot !== undefined) throw noSnapshots();
    const path = this.#folders.volume(id);
    const { size, free } = await spaceOf(this.#folders.root);
    checkLimit(limit, size);
    checkFree({ size, free: free - (await measureFolder(source)) });
    if (existsSync(path)) throw new MullionError('already_exists', `The volume ${id} exists already.`);
    const draft = this.#folders.making(id);
    await removeTree(draft);
    await copyFolder(source, draft);
    renameSync(draft, path);
  }

  async stageImage(id: string): Promise<string> {
    if (existsSync(this.#folders.image(id))) {
      throw new MullionError('already_exists', `The image ${id} exists already.`);
    }
    const staging = this.#folders.staging(id);
    await this.#discard(staging, id);
    mkdirSync(staging, { mode: 0o700 });
    return staging;
  }

  async sealImage(id: string): Promise<void> {
    const staging = this.#folders.staging(id);
    if (existsSync(staging)) {
      await run(['sync', '--file-system', staging], { timeoutMs: 600_000 });
      chmodSync(staging, 0o700);
      renameSync(staging, this.#folders.image(id));
    } else if (!existsSync(this.#folders.image(id))) {
      throw new MullionError('not_found', `There is no image ${id} to seal.`);
    }
  }

  async deleteImage(id: string): Promise<void> {
    await this.#discard(this.#folders.staging(id), id);
    await this.#discard(this.#folders.image(id), id);
  }

  async listImages(): Promise<{ readonly id: string; readonly sealed: boolean }[]> {
    return this.#folders.listImages();
  }

  imagePath(id: string): string {
    return this.#folders.image(id);
  }

  #existing(id: string): string {
    const path = this.#folders.volume(id);
    if (existsSync(path)) return path;
    throw new MullionError('not_found', `There is no volume ${id}.`);
  }

  /** Out of sight at once; what a kill leaves is taken away by the next `open`. */
  async #discard(path: string, id: string): Promise<void> {
    if (!existsSync(path)) return;
    for (const { target } of mountsUnder(path).reverse()) unmount(target);
    this.#deletions += 1;
    const away = this.#folders.making(`${id.slice(0, 64)}-${process.pid}-${this.#deletions}`);
    renameSync(path, away);
    await removeTree(away);
  }
}

const noSnapshots = (): MullionError =>
  new MullionError('not_supported', 'Plain folders have no snapshots.', {
    remedy: 'Use a btrfs pool: mullion pool info says why this one is of plain folders',
  });

async function removeTree(path: string): Promise<void> {
  for (const { target } of mountsUnder(path).reverse()) unmount(target);
  await removeFolder(path);
}
