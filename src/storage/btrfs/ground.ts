import { statSync } from 'node:fs';
import { MullionError } from '../../contract/errors.ts';
import { isBtrfs } from '../../host/btrfs.ts';
import type { PoolWarning } from '../volume.ts';

/** The file system that a btrfs pool stands on. */
export interface Ground {
  /** Folder of the pool; exists and is on btrfs once `open` has returned. */
  readonly root: string;
  readonly canGrow: boolean;
  /** Whether simple quota may be switched on there, which cannot be taken back. */
  readonly mayEnableQuota: boolean;
  open(): Promise<void>;
  close(): Promise<void>;
  grow(size: number): Promise<void>;
  /** How it becomes larger, for people. */
  readonly growth: string;
  warnings(): Promise<PoolWarning[]>;
  /** Room of the file system that the pool's own file lies in and still needs; undefined without such a file. */
  spaceBelow(): Promise<{ readonly size: number; readonly free: number } | undefined>;
}

/** A folder on a btrfs file system that somebody else mounts. */
export class ExistingGround implements Ground {
  readonly root: string;
  readonly canGrow = false;
  readonly growth = 'Enlarge that file system itself: btrfs device add, or btrfs filesystem resize';
  readonly mayEnableQuota: boolean;

  constructor(root: string, mayEnableQuota: boolean) {
    this.root = root;
    this.mayEnableQuota = mayEnableQuota;
  }

  async open(): Promise<void> {
    if (statSync(this.root, { throwIfNoEntry: false })?.isDirectory() !== true) {
      throw new MullionError('host_unfit', `The pool path ${this.root} is no folder.`, {
        remedy: 'Make the folder on a btrfs file system, or take pool.path out of the configuration',
      });
    }
    if (!isBtrfs(this.root)) {
      throw new MullionError('host_unfit', `The pool path ${this.root} is not on btrfs.`, {
        remedy:
          'Name a folder on btrfs, or set the pool backend to dir, or take pool.path out of the configuration',
      });
    }
  }

  async close(): Promise<void> {
    return undefined;
  }

  async grow(): Promise<void> {
    throw new MullionError(
      'not_supported',
      'The pool is a folder on a file system that Mullion did not make.',
      {
        remedy: this.growth,
      },
    );
  }

  async spaceBelow(): Promise<undefined> {
    return undefined;
  }

  async warnings(): Promise<PoolWarning[]> {
    if (!this.mayEnableQuota) return [];
    return [
      {
        message:
          'Simple quota is on in this file system for good: kernels before 6.7 cannot mount it any more.',
        remedy: 'Keep a kernel of Linux 6.7 or later',
      },
    ];
  }
}
