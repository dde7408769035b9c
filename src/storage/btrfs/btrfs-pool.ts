import { chmodSync, existsSync, renameSync } from 'node:fs';
import { MullionError } from '../../contract/errors.ts';
import type { Pool } from '../../contract/resources.ts';
import * as btrfs from '../../host/btrfs.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { mountsUnder, unmount } from '../../host/mounts.ts';
import { hasCode } from '../../host/system-error.ts';
import { exclusively } from '../exclusive.ts';
import { measureFolder, removeFolder } from '../folder-commands.ts';
import { PoolFolders, type PoolOwner } from '../pool-folders.ts';
import type { VolumeBackend, VolumeUsage } from '../volume.ts';
import { checkFree, checkLimit, poolIsFull } from '../volume-limits.ts';
import type { Ground } from './ground.ts';
import { reclaimableSpace } from './reclaim.ts';

/** One subvolume for each volume and image; limits by simple quota. */
export class BtrfsPool implements VolumeBackend {
  readonly backend = 'btrfs';
  readonly #ground: Ground;
  readonly #folders: PoolFolders;
  readonly #owner: PoolOwner;
  readonly #lock: string;
  #quota: btrfs.QuotaMode = 'off';

  /** `lock` is a file that keeps two daemons from opening it at one time. */
  constructor(ground: Ground, instance: string, lock: string) {
    this.#ground = ground;
    this.#folders = new PoolFolders(ground.root);
    this.#owner = { instance, backend: 'btrfs' };
    this.#lock = lock;
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
      if (btrfs.quotaMode(root) === 'off') btrfs.enableSimpleQuota(root);
      this.#quota = btrfs.quotaMode(root);
      for (const path of this.#folders.leftovers()) await destroy(path);
    });
  }

  close(): Promise<void> {
    return exclusively(this.#lock, () => this.#ground.close());
  }

  async info(): Promise<Omit<Pool, 'name'>> {
    const { root } = this.#folders;
    return {
      backend: this.backend,
      path: root,
      ...(await spaceOf(root)),
      volumes: this.#folders.listVolumes().length,
      features: this.features,
      warnings: [...quotaWarnings(this.#quota, root), ...(await this.#ground.warnings())],
    };
  }

  async grow(size: number, onProgress: (done: number, total: number) => void): Promise<void> {
    onProgress(0, size);
    await exclusively(this.#lock, () => this.#ground.grow(size));
    onProgress(size, size);
  }

  async createVolume(id: string, limit: number): Promise<void> {
    const path = this.#folders.volume(id);
    checkLimit(limit, (await spaceOf(this.#folders.root)).size);
    checkFree(await reclaimableSpace(this.#folders.root));
    if (existsSync(path)) throw new MullionError('already_exists', `The volume ${id} exists already.`);
    const draft = this.#folders.making(id);
    if (existsSync(draft)) await destroy(draft);
    this.#make(draft, () => {
      if (this.features.quota) btrfs.limitSubvolume(draft, limit);
      renameSync(draft, path);
    });
  }

  async deleteVolume(id: string): Promise<void> {
    await destroy(this.#folders.volume(id));
  }

  async setLimit(id: string, limit: number): Promise<void> {
    const path = this.#existing(id);
    if (!this.features.quota) {
      throw new MullionError('not_supported', 'This pool cannot limit a volume.', {
        remedy: 'See why with: mullion pool info',
      });
    }
    checkLimit(limit, (await spaceOf(this.#folders.root)).size);
    btrfs.limitSubvolume(path, limit);
  }

  async usage(id: string): Promise<VolumeUsage> {
    const path = this.#existing(id);
    if (this.features.quota) return btrfs.subvolumeUsage(path);
    return { used: await measureFolder(path), limit: undefined };
  }

  async listVolumes(): Promise<string[]> {
    return this.#folders.listVolumes();
  }

  volumePath(id: string): string {
    return this.#folders.volume(id);
  }

  async stageImage(id: string): Promise<string> {
    if (existsSync(this.#folders.image(id))) {
      throw new MullionError('already_exists', `The image ${id} exists already.`);
    }
    const staging = this.#folders.staging(id);
    await destroy(staging);
    this.#make(staging, () => undefined);
    return staging;
  }

  async sealImage(id: string): Promise<void> {
    const staging = this.#folders.staging(id);
    const image = this.#folders.image(id);
    if (existsSync(staging)) {
      await btrfs.syncBtrfs(staging);
      btrfs.setSubvolumeReadOnly(staging, true);
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

  #existing(id: string): string {
    const path = this.#folders.volume(id);
    if (existsSync(path)) return path;
    throw new MullionError('not_found', `There is no volume ${id}.`);
  }

  #make(path: string, complete: () => void): void {
    try {
      btrfs.createSubvolume(path);
      chmodSync(path, 0o700);
      complete();
    } catch (failure) {
      if (hasCode(failure, 'ENOSPC')) throw poolIsFull(0, failure);
      throw failure;
    }
  }
}

/** Takes away what is mounted inside, the subvolume, and the subvolumes in it; nothing there is fine. */
async function destroy(path: string): Promise<void> {
  if (!existsSync(path)) return;
  for (const { target } of mountsUnder(path).reverse()) unmount(target);
  if (btrfs.isSubvolume(path)) btrfs.destroySubvolume(path);
  else await removeFolder(path);
}

function quotaWarnings(mode: btrfs.QuotaMode, root: string): string[] {
  switch (mode) {
    case 'simple':
      return [];
    case 'off':
      return [
        'This kernel has no simple quota of btrfs (Linux 6.7 has it): a VPS is not stopped at its disk limit.',
      ];
    case 'full':
      return [
        `This file system counts by full quota groups, which make deletion slow; Mullion sets no limits with them: a VPS is not stopped at its disk limit. Run: btrfs quota disable ${root}; then restart the daemon.`,
      ];
  }
}
