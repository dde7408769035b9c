import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { kernelKnows } from '../../src/host/file-systems.ts';
import { MS, mount, unmount } from '../../src/host/mounts.ts';
import { BtrfsPool } from '../../src/storage/btrfs/btrfs-pool.ts';
import { LoopGround } from '../../src/storage/btrfs/loop-ground.ts';
import { fill } from '../conformance/volumes.ts';
import { scratchDirectory } from '../support/scratch.ts';

const MIB = 1024 ** 2;

const missing = (await kernelKnows('btrfs'))
  ? spawnSync('mkfs.btrfs', ['--version']).status === 0
    ? undefined
    : 'mkfs.btrfs is not installed'
  : 'this kernel has no btrfs';

test('a pool whose own file has no room to grow refuses what is new, and loses nothing that was on the disk', async (t) => {
  if (missing !== undefined) return t.skip(missing);
  using scratch = scratchDirectory('below');
  const below = join(scratch.path, 'below');
  mkdirSync(below);
  mount('tmpfs', below, 'tmpfs', MS.nosuid, `size=${640 * MIB}`);
  try {
    const make = (): BtrfsPool =>
      new BtrfsPool(
        new LoopGround(join(below, 'pool.btrfs'), join(below, 'pool'), 512 * MIB),
        'test',
        join(scratch.path, 'lock'),
      );
    const pool = make();
    await pool.open();
    await pool.createVolume('v1', 400 * MIB);
    const kept = Buffer.alloc(20 * MIB, 7);
    writeFileSync(join(pool.volumePath('v1'), 'kept'), kept, { flush: true });
    await pool.createSnapshot('v1', 's1');
    // Somebody else takes the room that the pool was promised.
    fill(join(below, 'other'), 1024 * MIB);
    const full = { code: 'insufficient_disk' };
    await assert.rejects(pool.createVolume('v2', 16 * MIB), full);
    await assert.rejects(pool.createSnapshot('v1', 's2'), full);
    await assert.rejects(pool.cloneVolume({ volume: 'v1' }, 'v2', 16 * MIB), full);
    await assert.rejects(pool.stageImage('i1'), full);
    const [gravest] = (await pool.info()).warnings;
    assert.match(gravest?.message ?? '', /may still take .* kept for the host/);
    assert.match(gravest?.remedy ?? '', /Free space in the file system of .*pool\.btrfs/);
    const { error } = fill(join(pool.volumePath('v1'), 'more'), 300 * MIB);
    assert.ok(error !== undefined, 'a writer is told');
    await pool.close();
    rmSync(join(below, 'other'));
    const later = make();
    await later.open();
    assert.ok(readFileSync(join(later.volumePath('v1'), 'kept')).equals(kept));
    assert.ok(readFileSync(join(later.snapshotPath('v1', 's1'), 'kept')).equals(kept));
    await later.restoreSnapshot('v1', 's1');
    await later.check(() => undefined, new AbortController().signal);
    await later.createVolume('v2', 16 * MIB);
    await later.close();
  } finally {
    unmount(join(below, 'pool'));
    unmount(below);
  }
});

test('a pool leaves the host a reserve of the file system that its file lies in, when it is made and when it grows', async (t) => {
  if (missing !== undefined) return t.skip(missing);
  using scratch = scratchDirectory('below');
  const below = join(scratch.path, 'below');
  mkdirSync(below);
  mount('tmpfs', below, 'tmpfs', MS.nosuid, `size=${600 * MIB}`);
  const file = join(below, 'pool.btrfs');
  const make = (size: number | undefined): BtrfsPool =>
    new BtrfsPool(new LoopGround(file, join(below, 'pool'), size), 'test', join(scratch.path, 'lock'));
  const most = (failure: unknown): number =>
    failure instanceof MullionError ? Number(/(\d+)M at most/.exec(failure.remedy)?.[1]) : 0;
  try {
    const refusal = await make(580 * MIB)
      .open()
      .catch((failure: unknown) => failure);
    assert.ok(refusal instanceof MullionError && refusal.code === 'insufficient_disk', String(refusal));
    assert.match(refusal.message, /30M are kept for the host/);
    assert.equal(existsSync(file), false);
    const fitting = most(refusal);
    assert.ok(fitting >= 560 && fitting <= 570, refusal.remedy);
    const usual = make(undefined);
    await usual.open();
    const { size } = await usual.info();
    assert.ok(size > 0.79 * fitting * MIB && size < 0.81 * fitting * MIB, `${size}`);
    assert.deepEqual((await usual.info()).warnings, []);
    await usual.close();
    rmSync(file);
    const pool = make(512 * MIB);
    await pool.open();
    assert.deepEqual((await pool.info()).warnings, []);
    const refused = await pool.grow(580 * MIB, () => undefined).catch((failure: unknown) => failure);
    assert.ok(refused instanceof MullionError && refused.code === 'insufficient_disk', String(refused));
    assert.equal((await pool.info()).size, 512 * MIB);
    await pool.grow(most(refused) * MIB, () => undefined);
    assert.deepEqual((await pool.info()).warnings, []);
    await pool.createVolume('v1', 512 * MIB);
    const { written } = fill(join(pool.volumePath('v1'), 'data'), 600 * MIB);
    assert.ok(written > 300 * MIB, `${written}`);
    const { bavail, bsize } = statfsSync(below);
    assert.ok(bavail * bsize >= 29 * MIB, `${bavail * bsize} bytes are left to the host`);
    await pool.close();
  } finally {
    unmount(join(below, 'pool'));
    unmount(below);
  }
});
