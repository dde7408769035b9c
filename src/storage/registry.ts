import { statSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { type Naming, poolDirectory, poolFile } from '../core/naming.ts';
import { isBtrfs } from '../host/btrfs.ts';
import { kernelKnows } from '../host/file-systems.ts';
import { hasProgram } from '../host/programs.ts';
import { BtrfsPool } from './btrfs/btrfs-pool.ts';
import { ExistingGround, type Ground } from './btrfs/ground.ts';
import { LoopGround } from './btrfs/loop-ground.ts';
import { DirPool } from './dir/dir-pool.ts';
import { readOwner } from './pool-folders.ts';
import type { PoolOptions } from './pool-options.ts';
import type { VolumeBackend } from './volume.ts';

/** The installation's pool, made when it is not there, and open. @throws MullionError */
export async function openPool(options: PoolOptions, naming: Naming): Promise<VolumeBackend> {
  const pool = createPool(options, naming, choosePool(options, await findPoolFacts(options, naming)));
  await pool.open();
  return pool;
}

export interface PoolFacts {
  readonly pathIsBtrfs: boolean;
  /** A pool of an earlier start. */
  readonly loopFileExists: boolean;
  readonly dirPoolExists: boolean;
  readonly kernelHasBtrfs: boolean;
  readonly hasMkfs: boolean;
}

export type PoolChoice =
  | { readonly kind: 'loop' }
  | { readonly kind: 'existing'; readonly path: string }
  | { readonly kind: 'dir'; readonly reasons: readonly string[] };

/** A pool that is there already wins: another choice would hide its data. @throws MullionError `invalid_request` */
export function choosePool({ backend, path }: PoolOptions, facts: PoolFacts): PoolChoice {
  if (path !== undefined) {
    if (backend === 'dir') return { kind: 'dir', reasons: [] };
    if (facts.pathIsBtrfs || backend === 'btrfs') return { kind: 'existing', path };
    throw new MullionError('invalid_request', `The pool path ${path} is no folder on btrfs.`, {
      remedy:
        'Name a folder on btrfs, or set the pool backend to dir, or take pool.path out of the configuration',
    });
  }
  const present = facts.loopFileExists ? 'btrfs' : facts.dirPoolExists ? 'dir' : undefined;
  if (present !== undefined && backend !== 'auto' && backend !== present) {
    throw new MullionError(
      'invalid_request',
      `The pool is ${present} already; it cannot become ${backend}.`,
      {
        remedy: `Set the pool backend to auto or ${present}, or use another state directory`,
      },
    );
  }
  if (present === 'btrfs' || backend === 'btrfs') return { kind: 'loop' };
  if (present === 'dir' || backend === 'dir') return { kind: 'dir', reasons: [] };
  if (!facts.kernelHasBtrfs)
    return { kind: 'dir', reasons: ['This kernel has no btrfs; plain folders are used.'] };
  if (!facts.hasMkfs) {
    return {
      kind: 'dir',
      reasons: ['mkfs.btrfs is not installed (package btrfs-progs); plain folders are used.'],
    };
  }
  return { kind: 'loop' };
}

async function findPoolFacts({ path }: PoolOptions, naming: Naming): Promise<PoolFacts> {
  const isFolder = path !== undefined && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  return {
    pathIsBtrfs: isFolder && isBtrfs(path),
    loopFileExists: statSync(poolFile(naming), { throwIfNoEntry: false }) !== undefined,
    dirPoolExists: readOwner(poolDirectory(naming))?.backend === 'dir',
    kernelHasBtrfs: await kernelKnows('btrfs'),
    hasMkfs: hasProgram('mkfs.btrfs'),
  };
}

function createPool(options: PoolOptions, naming: Naming, choice: PoolChoice): VolumeBackend {
  const root = poolDirectory(naming);
  const lock = `${root}.lock`;
  const onBtrfs = (ground: Ground) => new BtrfsPool(ground, naming.instance, lock, options.ready);
  switch (choice.kind) {
    case 'loop':
      return onBtrfs(new LoopGround(poolFile(naming), root, options.size));
    case 'existing':
      return onBtrfs(new ExistingGround(choice.path, options.quota ?? false));
    case 'dir':
      return new DirPool(options.path ?? root, naming.instance, lock, choice.reasons);
  }
}
