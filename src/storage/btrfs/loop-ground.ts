import { chmodSync, mkdirSync, statSync } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { dirname } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { formatSize, MIB } from '../../contract/sizes.ts';
import { kernelKnows, spaceOf } from '../../host/file-systems.ts';
import { loopDevicesOf, mountFile, refreshLoopSize, releaseLoops } from '../../host/loops.ts';
import { MS, mountsUnder, unmount } from '../../host/mounts.ts';
import { run } from '../../host/run.ts';
import type { PoolWarning } from '../volume.ts';
import type { Ground } from './ground.ts';
import { checkSignature, leftIn, makePoolFile, spared } from './pool-file.ts';

const MOUNT_OPTIONS = 'discard=async';

/** A btrfs file system in a sparse file, mounted by a loop device that goes with the mount. */
export class LoopGround implements Ground {
  readonly root: string;
  readonly canGrow = true;
  readonly growth = 'Make it larger: mullion pool grow default SIZE; or delete what nobody needs';
  readonly mayEnableQuota = true;
  readonly #file: string;
  readonly #size: number | undefined;

  /** `size` counts only when the file is not there yet; absent: the usual one, as far as it fits. */
  constructor(file: string, root: string, size: number | undefined) {
    this.#file = file;
    this.root = root;
    this.#size = size;
  }

  async open(): Promise<void> {
    if (!(await kernelKnows('btrfs'))) {
      throw new MullionError('host_unfit', 'This kernel has no btrfs.', {
        remedy: 'Install the module btrfs, or set the pool backend to dir',
      });
    }
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o711 });
    if (statSync(this.#file, { throwIfNoEntry: false }) === undefined)
      await makePoolFile(this.#file, this.#size);
    else checkSignature(this.#file);
    mkdirSync(this.root, { recursive: true, mode: 0o700 });
    if (!(await this.#isMounted()))
      await mountFile(this.#file, this.root, 'btrfs', MS.noatime, MOUNT_OPTIONS);
    await releaseLoops(this.#file);
    chmodSync(this.root, 0o711);
    await this.#fillFile();
  }

  async close(): Promise<void> {
    if (await this.#isMounted()) unmount(this.root);
  }

  async grow(wanted: number): Promise<void> {
    const size = Math.floor(wanted / MIB) * MIB;
    const file = await stat(this.#file);
    if (size < file.size) {
      throw new MullionError(
        'invalid_request',
        `The pool has ${formatSize(file.size)}; it cannot become smaller.`,
        {
          remedy: 'Give a size larger than the present one',
        },
      );
    }
    const below = await spaceOf(this.#file);
    const missing = size - file.blocks * 512;
    if (missing > spared(below)) {
      const most = Math.floor((spared(below) + file.blocks * 512) / MIB) * MIB;
      throw new MullionError(
        'insufficient_disk',
        `The pool could come to need ${formatSize(missing)} more of the file system of ${this.#file}: ${leftIn(below)}.`,
        {
          remedy:
            most > file.size ? `Grow it to ${most / MIB}M at most, or free space there` : 'Free space there',
          details: { free: below.free, missing },
        },
      );
    }
    await truncate(this.#file, size);
    await this.#fillFile();
  }

  async spaceBelow(): Promise<{ size: number; free: number } | undefined> {
    const file = await stat(this.#file);
    return file.blocks * 512 >= file.size ? undefined : spaceOf(this.#file);
  }

  /** A sparse file may promise more than its file system can still hold beside the host. */
  async warnings(): Promise<PoolWarning[]> {
    const file = await stat(this.#file);
    const below = await spaceOf(this.#file);
    const missing = file.size - file.blocks * 512;
    if (missing <= spared(below)) return [];
    return [
      {
        message: `The pool may still take ${formatSize(missing)} of the file system of ${this.#file}: ${leftIn(below)}.`,
        remedy: `Free space in the file system of ${this.#file}, or enlarge it, before the pool needs it`,
      },
    ];
  }

  /** Lets the file system fill its whole file: what is left to do after `truncate`, or after a kill in between. */
  async #fillFile(): Promise<void> {
    const { size } = await stat(this.#file);
    if ((await spaceOf(this.root)).size >= Math.floor(size / MIB) * MIB) return;
    for (const device of await loopDevicesOf(this.#file)) await refreshLoopSize(device);
    await run(['btrfs', 'filesystem', 'resize', 'max', this.root]);
  }

  /** @throws MullionError `in_use` when something else is mounted there */
  async #isMounted(): Promise<boolean> {
    const entry = mountsUnder(this.root).findLast(({ target }) => target === this.root);
    if (entry === undefined) return false;
    if (entry.fstype === 'btrfs' && (await loopDevicesOf(this.#file)).includes(entry.source)) return true;
    throw new MullionError(
      'in_use',
      `Something else is mounted at ${this.root}: ${entry.source} (${entry.fstype}).`,
      {
        remedy: `Unmount it: umount ${this.root}`,
      },
    );
  }
}
