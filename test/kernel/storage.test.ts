import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { createNaming, type Naming } from '../../src/core/naming.ts';
import { isBtrfs, quotaMode } from '../../src/host/btrfs.ts';
import { kernelKnows } from '../../src/host/file-systems.ts';
import { loopDevicesOf } from '../../src/host/loops.ts';
import { mount, mountsUnder, unmount } from '../../src/host/mounts.ts';
import { BtrfsPool } from '../../src/storage/btrfs/btrfs-pool.ts';
import { ExistingGround } from '../../src/storage/btrfs/ground.ts';
import { LoopGround } from '../../src/storage/btrfs/loop-ground.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import type { VolumeBackend } from '../../src/storage/volume.ts';
import { type VolumeFixture, volumeConformance } from '../conformance/volumes.ts';
import { noLoopsLeft } from '../support/loops.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';

const SIZE = 512 * 1024 ** 2;

/** A pool in a scratch folder; at the end everything that was mounted must be gone by `close` alone. */
async function fixture(
  create: (naming: Naming, root: string) => VolumeBackend,
  before: (root: string) => void = () => undefined,
  after: (root: string) => void = () => undefined,
): Promise<VolumeFixture> {
  const scratch = scratchDirectory('storage');
  const root = join(scratch.path, 'ground');
  mkdirSync(root);
  before(root);
  const naming = createNaming(join(scratch.path, 'state'), join(scratch.path, 'run'));
  const pool = create(naming, root);
  await pool.open();
  return {
    pool,
    another: () => create(naming, root),
    [Symbol.asyncDispose]: async () => {
      await pool.close();
      after(root);
      await eventually('no mount is left', () => mountsUnder(scratch.path).length === 0);
      await noLoopsLeft(scratch.path);
      scratch[Symbol.dispose]();
    },
  };
}

/** Whether a loop device can pass the page cache of this file. */
const takesDirect = (file: string): boolean =>
  ['512', '4096'].some(
    (size) =>
      spawnSync('dd', [`if=${file}`, 'of=/dev/null', `bs=${size}`, 'count=1', 'iflag=direct']).status === 0,
  );

const lockOf = (naming: Naming): string => join(naming.stateDirectory, 'pool.lock');

const missing = (await kernelKnows('btrfs'))
  ? spawnSync('mkfs.btrfs', ['--version']).status === 0
    ? undefined
    : 'mkfs.btrfs is not installed'
  : 'this kernel has no btrfs';

if (missing === undefined) {
  volumeConformance('btrfs on a loop file', () =>
    fixture(
      (naming, root) =>
        new BtrfsPool(
          new LoopGround(join(root, 'pool.btrfs'), join(root, 'pool'), SIZE),
          naming.instance,
          lockOf(naming),
        ),
    ),
  );
  volumeConformance('btrfs in an existing folder', () =>
    fixture(
      (naming, root) =>
        new BtrfsPool(new ExistingGround(join(root, 'fs'), true), naming.instance, lockOf(naming)),
      (root) => {
        execFileSync('truncate', ['--size', String(SIZE), join(root, 'image')]);
        execFileSync('mkfs.btrfs', ['--quiet', join(root, 'image')]);
        mkdirSync(join(root, 'fs'));
        execFileSync('mount', ['-o', 'loop', join(root, 'image'), join(root, 'fs')]);
      },
      (root) => unmount(join(root, 'fs')),
    ),
  );
  test('empty volumes are kept for VPSs to come, unless that is not wanted', async () => {
    using scratch = scratchDirectory('ready');
    const root = join(scratch.path, 'pool');
    const ground = () => new LoopGround(join(scratch.path, 'pool.btrfs'), root, SIZE);
    for (const [ready, spares] of [
      [true, 4],
      [false, 0],
    ] as const) {
      const pool = new BtrfsPool(ground(), 'test', join(scratch.path, 'lock'), ready);
      await pool.open();
      try {
        const kept = readdirSync(join(root, 'seeds')).filter((name) => name.startsWith('spare-'));
        assert.equal(kept.length, spares);
        await pool.createVolume(`made-${spares}`, SIZE / 4);
      } finally {
        await pool.close();
      }
    }
  });

  test('what is written goes past the page cache below the pool, where that can, and in short requests', async () => {
    using scratch = scratchDirectory('direct');
    const file = join(scratch.path, 'pool.btrfs');
    const pool = new BtrfsPool(
      new LoopGround(file, join(scratch.path, 'pool'), SIZE),
      'test',
      join(scratch.path, 'lock'),
    );
    await pool.open();
    try {
      const [device = ''] = await loopDevicesOf(file);
      const told = (name: string): string =>
        readFileSync(join('/sys/block', basename(device), name), 'utf8').trim();
      assert.equal(told('loop/dio'), takesDirect(file) && !isBtrfs(file) ? '1' : '0');
      assert.equal(told('queue/max_sectors_kb'), '128');
    } finally {
      await pool.close();
    }
  });

  test('a file system that is there gets no simple quota unasked, and the pool says so', async () => {
    using scratch = scratchDirectory('quota');
    const fs = join(scratch.path, 'fs');
    execFileSync('truncate', ['--size', String(SIZE), join(scratch.path, 'image')]);
    execFileSync('mkfs.btrfs', ['--quiet', join(scratch.path, 'image')]);
    mkdirSync(fs);
    execFileSync('mount', ['-o', 'loop', join(scratch.path, 'image'), fs]);
    try {
      const pool = new BtrfsPool(new ExistingGround(fs, false), 'test', join(scratch.path, 'lock'));
      await pool.open();
      assert.equal(quotaMode(fs), 'off');
      assert.equal(pool.features.quota, false);
      const [warning] = (await pool.info()).warnings;
      assert.match(warning?.message ?? '', /not stopped at its disk limit/);
      assert.match(warning?.remedy ?? '', /pool\.quota/);
      await pool.close();
    } finally {
      unmount(fs);
    }
  });
} else {
  test('volumes of btrfs', (t) => t.skip(missing));
}

volumeConformance('plain folders', () =>
  fixture(
    (naming, root) => new DirPool(root, naming.instance, lockOf(naming)),
    (root) => mount('tmpfs', root, 'tmpfs', 0, `size=${SIZE}`),
    (root) => unmount(root),
  ),
);
