import { chmodSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { MullionError } from '../../contract/errors.ts';
import type { Pool } from '../../contract/resources.ts';
import { MIB } from '../../contract/sizes.ts';
import * as btrfs from '../../host/btrfs.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { mountsUnder, unmount } from '../../host/mounts.ts';
import { hasCode } from '../../host/system-error.ts';
import { exclusively } from '../exclusive.ts';
import { measureFolder, removeFolder } from '../folder-commands.ts';
import { PoolFolders, type PoolOwner } from '../pool-folders.ts';
import type { PoolInfo, PoolMeasures, VolumeBackend, VolumeSource, VolumeUsage } from '../volume.ts';
import { checkFree, checkLimit, fullnessWarnings, poolIsFull, reserveOf } from '../volume-limits.ts';
import { Accounts } from './accounts.ts';
import type { Ground } from './ground.ts';
import { measurePool } from './measure.ts';
import { quotaWarnings } from './quota-warnings.ts';
import { reclaimableSpace } from './reclaim.ts';
import { scrub } from './scrub.ts';
import { Seed } from './seed.ts';

/** One subvolume for each volume and image; limits by simple quota. */
export class BtrfsPool implements VolumeBackend {
  readonly backend = 'btrfs';
  readonly #ground: Ground;
  readonly #folders: PoolFolders;
  readonly #owner: PoolOwner;
  readonly #lock: string;
  readonly #accounts: Accounts;
  readonly #seed: Seed;
  #quota: btrfs.QuotaMode = 'off';

  /**
   * `lock` is a file that keeps two daemons from opening it at one time; `ready`: whether empty volumes are kept for VPSs to
   * come.
   */
  constructor(ground: Ground, instance: string, lock: string, ready = true) {
    this.#ground = ground;
    this.#folders = new PoolFolders(ground.root);
    this.#owner = { instance, backend: 'btrfs' };
    this.#lock = lock;
    this.#accounts = new Accounts(this.#folders);
    this.#seed = new Seed(this.#folders, () => this.#requireRoom(), ready);
  }

  /** As found by `open`. */
  get features(): Pool['features'] {
    return { quota: this.#quota === 'simple', reflink: true, snapshots: true, grow: this.#ground.canGrow };
  }

  open(): Promise<void> {
    return exclusively(this.#lock, async () => {
      await this.#ground.open();
      this.#folders.prepare(this.#owner);
      const { root } = this.#folders;
      if (this.#ground.mayEnableQuota && btrfs.quotaMode(root) === 'off') btrfs.enableSimpleQuota(root);
      this.#quota = btrfs.quotaMode(root);
      for (const path of this.#folders.leftovers()) await destroy(path);
      await this.#seed.open();
      if (!this.features.quota) return;
      for (const id of this.#folders.listAccounts()) this.#accounts.apply(id);
      btrfs.pruneSuccessions(root);
    });
  }

  close(): Promise<void> {
    return exclusively(this.#lock, async () => {
      await this.#seed.close();
      await this.#ground.close();
    });
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
        ...fullnessWarnings(space, this.#ground.growth),
        ...(await this.#ground.warnings()),
        ...quotaWarnings(this.#quota, root, this.#ground.mayEnableQuota),
      ],
    };
  }

  async grow(size: number, onProgress: (done: number, total: number) => void): Promise<void> {
    onProgress(0, size);
    await exclusively(this.#lock, () => this.#ground.grow(size));
    onProgress(size, size);
  }

  async measure(): Promise<PoolMeasures> {
    await btrfs.syncBtrfs(this.#folders.root);
    return measurePool(this.#folders);
  }

  check(
    onProgress: (done: number, total: number) => void,
    signal: AbortSignal,
  ): Promise<{ repaired: number }> {
    return scrub(this.#folders.root, onProgress, signal);
  }

  async createVolume(id: string, limit: number): Promise<void> {
    checkLimit(limit, (await spaceOf(this.#folders.root)).size);
    const { path, draft } = await this.#beginVolume(id);
    await spaceful(async () => {
      try {
        await this.#seed.copyTo(draft);
        if (this.features.quota) btrfs.limitSubvolume(draft, limit);
        renameSync(draft, path);
      } catch (cause) {
        if (!hasCode(cause, 'EEXIST', 'ENOTEMPTY', 'ENOENT')) throw cause;
        throw new MullionError('already_exists', `The volume ${id} is being made already.`, { cause });
      }
    });
  }

  async deleteVolume(id: string): Promise<void> {
    for (const snapshot of this.#folders.listSnapshots(id))
      await destroy(this.#folders.snapshot(id, snapshot));
    rmSync(this.#folders.snapshotsOf(id), { recursive: true, force: true });
    await destroy(this.#folders.volume(id));
    this.#accounts.forget(id);
  }

  async setLimit(id: string, limit: number): Promise<void> {
    this.#existing(id);
    if (!this.features.quota) {
      throw new MullionError('not_supported', 'This pool cannot limit a volume.', {
        remedy: 'See why with: mullion pool info',
      });
    }
    checkLimit(limit, (await spaceOf(this.#folders.root)).size);
    this.#accounts.setLimit(id, limit);
  }

  async usage(id: string): Promise<VolumeUsage> {
    const path = this.#existing(id);
    if (this.features.quota) {
      return { used: btrfs.subvolumeUsage(path).used, limit: this.#accounts.limitOf(id) };
    }
    return { used: await measureFolder(path), limit: undefined };
  }

  async listVolumes(): Promise<string[]> {
    return this.#folders.listVolumes();
  }

  volumePath(id: string): string {
    return this.#folders.volume(id);
  }

  async createSnapshot(id: string, snapshot: string): Promise<void> {
    const path = this.#folders.snapshot(id, snapshot);
    const volume = this.#existing(id);
    await this.#requireRoom();
    mkdirSync(this.#folders.snapshotsOf(id), { recursive: true, mode: 0o711 });
    await this.#copy(volume, path, true, `The snapshot ${snapshot} exists already.`);
    if (!this.features.quota) return;
    try {
      await this.#accounts.requireWithinLimit(id, path);
    } catch (failure) {
      await destroy(path);
      throw failure;
    }
    this.#accounts.addSnapshot(id, snapshot);
  }

  async deleteSnapshot(id: string, snapshot: string): Promise<void> {
    await destroy(this.#folders.snapshot(id, snapshot));
    if (this.features.quota && existsSync(this.#folders.volume(id))) {
      this.#accounts.removeSnapshot(id, snapshot);
    }
  }

  async listSnapshots(id: string): Promise<string[]> {
    return this.#folders.listSnapshots(id);
  }

  snapshotPath(id: string, snapshot: string): string {
    return this.#folders.snapshot(id, snapshot);
  }

  async restoreSnapshot(id: string, snapshot: string): Promise<void> {
    const source = this.#existing(id, snapshot);
    const volume = this.#existing(id);
    await this.#requireRoom();
    const draft = this.#folders.making(id);
    await destroy(draft);
    await this.#copy(source, draft, false, `The volume ${id} is being restored already.`);
    if (this.features.quota) {
      this.#accounts.succeed(id);
      btrfs.succeedSubvolume(volume, draft);
    }
    for (const { target } of mountsUnder(volume).reverse()) unmount(target);
    btrfs.exchangeSubvolumes(draft, volume);
    await btrfs.syncBtrfs(volume);
    await destroy(draft);
  }

  async cloneVolume({ volume, snapshot }: VolumeSource, id: string, limit: number): Promise<void> {
    const source = this.#existing(volume, snapshot);
    checkLimit(limit, (await spaceOf(this.#folders.root)).size);
    const { path, draft } = await this.#beginVolume(id);
    await this.#copy(source, draft, false, `The volume ${id} is being made already.`);
    if (this.features.quota) btrfs.limitSubvolume(draft, limit);
    renameSync(draft, path);
    await btrfs.syncBtrfs(path);
  }

  async stageImage(id: string): Promise<string> {
    if (existsSync(this.#folders.image(id))) {
      throw new MullionError('already_exists', `The image ${id} exists already.`);
    }
    await this.#requireRoom();
    const staging = this.#folders.staging(id);
    await destroy(staging);
    const { size, free } = await spaceOf(this.#folders.root);
    // What is taken in may not take the room that is kept for VPSs, however fast it comes.
    const limit = Math.max(free - reserveOf(size), MIB);
    await spaceful(() => {
      btrfs.createSubvolume(staging);
      chmodSync(staging, 0o700);
      if (this.features.quota) btrfs.limitSubvolume(staging, limit);
    });
    return staging;
  }

  async sealImage(id: string): Promise<void> {
    const staging = this.#folders.staging(id);
    const image = this.#folders.image(id);
    if (existsSync(staging)) {
      await spaceful(() => this.#seed.raise(staging));
      await btrfs.syncBtrfs(staging);
      btrfs.setSubvolumeReadOnly(staging, true);
      await this.#seed.renew();
      renameSync(staging, image);
    } else if (!existsSync(image)) {
      throw new MullionError('not_found', `There is no image ${id} to seal.`);
    }
  }

  async deleteImage(id: string): Promise<void> {
    await destroy(this.#folders.staging(id));
    await destroy(this.#folders.image(id));
  }

  async listImages(): Promise<{ readonly id: string; readonly sealed: boolean }[]> {
    return this.#folders.listImages();
  }

  imagePath(id: string): string {
    return this.#folders.image(id);
  }

  #existing(id: string, snapshot?: string): string {
    const path = snapshot === undefined ? this.#folders.volume(id) : this.#folders.snapshot(id, snapshot);
    if (existsSync(path)) return path;
    const what = snapshot === undefined ? `volume ${id}` : `snapshot ${snapshot} of the volume ${id}`;
    throw new MullionError('not_found', `There is no ${what}.`);
  }

  /** Where a new volume will be, and where it is made. */
  async #beginVolume(id: string): Promise<{ path: string; draft: string }> {
    const path = this.#folders.volume(id);
    await this.#requireRoom();
    if (existsSync(path)) throw new MullionError('already_exists', `The volume ${id} exists already.`);
    const draft = this.#folders.making(id);
    await destroy(draft);
    return { path, draft };
  }

  /** For what is new; the pool's own file may have less room to grow than the pool says. */
  async #requireRoom(): Promise<void> {
    checkFree(await reclaimableSpace(this.#folders.root));
    const below = await this.#ground.spaceBelow();
    if (below !== undefined) checkFree(below);
  }

  async #copy(source: string, target: string, readOnly: boolean, taken: string): Promise<void> {
    try {
      await spaceful(() => btrfs.snapshotSubvolume(source, target, readOnly));
    } catch (cause) {
      if (hasCode(cause, 'EEXIST')) throw new MullionError('already_exists', taken, { cause });
      throw cause;
    }
  }
}

/** Says of a pool without room that it has none. */
async function spaceful(make: () => Promise<void> | void): Promise<void> {
  try {
    await make();
  } catch (failure) {
    if (hasCode(failure, 'ENOSPC')) throw poolIsFull(0, failure);
    throw failure;
  }
}

/** Takes away what is mounted inside, the subvolume, and the subvolumes in it; nothing there is fine. */
async function destroy(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const { target } of mountsUnder(path).reverse()) unmount(target);
  if (btrfs.isSubvolume(path)) btrfs.destroySubvolume(path);
  else await removeFolder(path);
}
