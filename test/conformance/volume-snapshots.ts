import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MullionError } from '../../src/contract/errors.ts';
import { mountsUnder } from '../../src/host/mounts.ts';
import { hasCode } from '../../src/host/system-error.ts';
import type { VolumeBackend } from '../../src/storage/volume.ts';
import { eventually } from '../support/scratch.ts';
import { assertStopped, fill, TRICKS, type VolumeFixture } from './volumes.ts';

const MIB = 1024 ** 2;
type Check = (title: string, body: (fixture: VolumeFixture) => Promise<void>) => void;

const write = (pool: VolumeBackend, id: string, name: string, text: string): void =>
  writeFileSync(join(pool.volumePath(id), name), text, { flush: true });
const read = (pool: VolumeBackend, id: string, name: string): string =>
  readFileSync(join(pool.volumePath(id), name), 'utf8');

/** Snapshots and clones; a backend without snapshots must refuse them and still clone. */
export function snapshotChecks(check: Check): void {
  check('a pool without snapshots says so, and one with them has none at first', async ({ pool }) => {
    await pool.createVolume('v1', 64 * MIB);
    assert.deepEqual(await pool.listSnapshots('v1'), []);
    if (pool.features.snapshots) return;
    const refused = { code: 'not_supported' };
    await assert.rejects(pool.createSnapshot('v1', 's1'), refused);
    await assert.rejects(pool.restoreSnapshot('v1', 's1'), refused);
    await assert.rejects(pool.cloneVolume({ volume: 'v1', snapshot: 's1' }, 'v2', MIB), refused);
    await pool.deleteSnapshot('v1', 's1');
    assert.deepEqual(await pool.listVolumes(), ['v1']);
  });

  check('a snapshot keeps what was, read-only, while the volume goes on', async ({ pool }) => {
    if (!pool.features.snapshots) return;
    await pool.createVolume('v1', 64 * MIB);
    write(pool, 'v1', 'file', 'before');
    await pool.createSnapshot('v1', 's1');
    write(pool, 'v1', 'file', 'after');
    const kept = pool.snapshotPath('v1', 's1');
    assert.equal(readFileSync(join(kept, 'file'), 'utf8'), 'before');
    assert.throws(() => writeFileSync(join(kept, 'file'), 'x'), { code: 'EROFS' });
    assert.equal(statSync(kept).mode & 0o7777, 0o700);
    await assert.rejects(pool.createSnapshot('v1', 's1'), { code: 'already_exists' });
    await assert.rejects(pool.createSnapshot('v2', 's1'), { code: 'not_found' });
    assert.deepEqual(await pool.listSnapshots('v1'), ['s1']);
    assert.deepEqual(await pool.listVolumes(), ['v1']);
    await pool.deleteSnapshot('v1', 's1');
    await pool.deleteSnapshot('v1', 's1');
    assert.deepEqual(await pool.listSnapshots('v1'), []);
    assert.equal(read(pool, 'v1', 'file'), 'after');
  });

  check('a volume goes back to a snapshot as often as wanted', async ({ pool }) => {
    if (!pool.features.snapshots) return;
    await pool.createVolume('v1', 64 * MIB);
    mkdirSync(join(pool.volumePath('v1'), 'folder'));
    write(pool, 'v1', 'folder/file', 'good');
    await pool.createSnapshot('v1', 's1');
    for (const round of ['one', 'two', 'three']) {
      write(pool, 'v1', 'folder/file', round);
      write(pool, 'v1', 'new', round);
      await pool.restoreSnapshot('v1', 's1');
      assert.equal(read(pool, 'v1', 'folder/file'), 'good');
      assert.equal(existsSync(join(pool.volumePath('v1'), 'new')), false);
    }
    assert.equal(statSync(pool.volumePath('v1')).mode & 0o7777, 0o700);
    assert.deepEqual(await pool.listVolumes(), ['v1']);
    await assert.rejects(pool.restoreSnapshot('v1', 's2'), { code: 'not_found' });
    write(pool, 'v1', 'new', 'writable');
  });

  check('a clone is a volume of its own, of a volume and of a snapshot', async ({ pool }) => {
    await pool.createVolume('v1', 64 * MIB);
    write(pool, 'v1', 'file', 'one');
    await pool.cloneVolume({ volume: 'v1' }, 'v2', 48 * MIB);
    write(pool, 'v1', 'file', 'two');
    write(pool, 'v2', 'own', 'mine');
    assert.equal(read(pool, 'v2', 'file'), 'one');
    assert.deepEqual(readdirSync(pool.volumePath('v1')), ['file']);
    assert.equal((await pool.usage('v2')).limit, pool.features.quota ? 48 * MIB : undefined);
    await assert.rejects(pool.cloneVolume({ volume: 'v1' }, 'v2', MIB), { code: 'already_exists' });
    await assert.rejects(pool.cloneVolume({ volume: 'v9' }, 'v3', MIB), { code: 'not_found' });
    await assert.rejects(pool.cloneVolume({ volume: 'v1' }, 'v3', 0), { code: 'invalid_request' });
    if (pool.features.snapshots) {
      await pool.createSnapshot('v1', 's1');
      write(pool, 'v1', 'file', 'three');
      await pool.cloneVolume({ volume: 'v1', snapshot: 's1' }, 'v3', 48 * MIB);
      assert.equal(read(pool, 'v3', 'file'), 'two');
      assert.deepEqual(await pool.listSnapshots('v3'), []);
    }
    await pool.deleteVolume('v1');
    assert.deepEqual(await pool.listSnapshots('v1'), []);
    assert.equal(read(pool, 'v2', 'file'), 'one');
  });

  check('a deleted volume takes its snapshots along, and its name starts anew', async ({ pool }) => {
    if (!pool.features.snapshots) return;
    await pool.createVolume('v1', 64 * MIB);
    write(pool, 'v1', 'big', 'x'.repeat(4 * MIB));
    await pool.createSnapshot('v1', 's1');
    await pool.createSnapshot('v1', 's2');
    await Promise.all([pool.deleteVolume('v1'), pool.deleteVolume('v1')]);
    await pool.createVolume('v1', 32 * MIB);
    assert.deepEqual(await pool.listSnapshots('v1'), []);
    if (pool.features.quota) assert.equal((await pool.usage('v1')).limit, 32 * MIB);
  });

  check('what a snapshot keeps does not eat the room of the volume', async ({ pool }) => {
    if (!pool.features.snapshots || !pool.features.quota) return;
    await pool.createVolume('v1', 64 * MIB);
    const file = join(pool.volumePath('v1'), 'file');
    assert.equal(fill(file, 56 * MIB).error, undefined);
    await pool.createSnapshot('v1', 's1');
    assert.equal((await pool.usage('v1')).limit, 64 * MIB);
    rmSync(file);
    assert.equal(fill(file, 56 * MIB).error, undefined);
    await pool.setLimit('v1', 80 * MIB);
    assert.equal((await pool.usage('v1')).limit, 80 * MIB);
    assert.equal(fill(join(pool.volumePath('v1'), 'more'), 16 * MIB).error, undefined);
    await pool.deleteSnapshot('v1', 's1');
    // The kernel frees it in a thread of its own, which this wakes (btrfs_ioctl, BTRFS_IOC_SYNC).
    execFileSync('btrfs', ['filesystem', 'sync', pool.volumePath('v1')]);
    const isFree = async (): Promise<boolean> => (await pool.usage('v1')).used < 76 * MIB;
    await eventually('what the snapshot kept is free', isFree, 60_000);
    assertStopped(fill(join(pool.volumePath('v1'), 'last'), 80 * MIB), 80 * MIB - 72 * MIB, 'EDQUOT');
  });

  check('snapshots give no room beyond what the newest may come to keep', async ({ pool }) => {
    if (!pool.features.snapshots || !pool.features.quota) return;
    const limit = 64 * MIB;
    await pool.createVolume('v1', limit);
    const folder = pool.volumePath('v1');
    let failure: unknown;
    for (let round = 0; round < 6 && failure === undefined; round += 1) {
      failure = fill(join(folder, `file${round}`), 56 * MIB).error;
      await pool.createSnapshot('v1', `s${round}`).catch((refusal: unknown) => {
        failure ??= refusal;
      });
    }
    assert.ok(failure instanceof MullionError && failure.code === 'insufficient_disk', String(failure));
    assert.match(failure.message, /more than its limit of 64M/);
    assert.deepEqual(await pool.listSnapshots('v1'), ['s0']);
    const held = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(held <= 2 * limit, `${held} bytes of living data under a limit of ${limit}`);
    await pool.restoreSnapshot('v1', 's0');
    execFileSync('btrfs', ['filesystem', 'sync', folder]);
    const isFree = async (): Promise<boolean> => (await pool.usage('v1')).used < limit;
    await eventually('what was given up is free', isFree, 60_000);
    assert.equal(fill(join(folder, 'again'), 56 * MIB).error, undefined);
    await assert.rejects(pool.createSnapshot('v1', 's1'), { code: 'insufficient_disk' });
    rmSync(join(folder, 'file0'));
    await pool.createSnapshot('v1', 's1');
    assert.deepEqual(await pool.listSnapshots('v1'), ['s0', 's1']);
  });

  check('data that is written anew between snapshots has its room as often as wanted', async ({ pool }) => {
    if (!pool.features.snapshots || !pool.features.quota) return;
    await pool.createVolume('v1', 64 * MIB);
    assert.equal(fill(join(pool.volumePath('v1'), 'file'), 20 * MIB).error, undefined);
    await pool.cloneVolume({ volume: 'v1' }, 'v2', 40 * MIB);
    for (const id of ['v1', 'v2']) {
      const file = join(pool.volumePath(id), 'own');
      for (let round = 0; round < 4; round += 1) {
        rmSync(file, { force: true });
        assert.equal(fill(file, 36 * MIB).error, undefined, `${id}, round ${round}`);
        await pool.createSnapshot(id, `s${round}`);
      }
      assert.equal((await pool.listSnapshots(id)).length, 4);
    }
  });

  check('the data of an image does not count as the volume’s own, however late it came', async ({ pool }) => {
    if (!pool.features.snapshots || !pool.features.quota) return;
    for (const [id, files] of [
      ['first', 300],
      ['disk', 1],
    ] as const) {
      const staging = await pool.stageImage(id);
      const content = Buffer.alloc(id === 'disk' ? 100 * MIB : 0, 1);
      for (let index = 0; index < files; index += 1) writeFileSync(join(staging, `${index}`), content);
      await pool.sealImage(id);
    }
    await pool.createVolume('v1', 64 * MIB);
    const file = join(pool.volumePath('v1'), 'disk');
    execFileSync('cp', ['--reflink=always', join(pool.imagePath('disk'), '0'), file]);
    for (const snapshot of ['s1', 's2']) {
      execFileSync('dd', [
        ...'if=/dev/urandom bs=1M count=40 conv=notrunc,fsync status=none'.split(' '),
        `of=${file}`,
      ]);
      await pool.createSnapshot('v1', snapshot);
    }
  });

  check('to restore again and again gains no room', async ({ pool }) => {
    if (!pool.features.snapshots || !pool.features.quota) return;
    await pool.createVolume('v1', 48 * MIB);
    let failure: unknown;
    for (let round = 0; round < 4 && failure === undefined; round += 1) {
      failure = fill(join(pool.volumePath('v1'), `file${round}`), 32 * MIB).error;
      await pool.createSnapshot('v1', 's1');
      await pool.restoreSnapshot('v1', 's1');
      await pool.deleteSnapshot('v1', 's1');
    }
    assert.ok(hasCode(failure, 'EDQUOT'), `ended by ${String(failure)}`);
    assert.equal((await pool.usage('v1')).limit, 48 * MIB);
    assert.ok((await pool.usage('v1')).used <= 49 * MIB);
  });

  check('a snapshot is one instant of what several files went through', async ({ pool }) => {
    if (!pool.features.snapshots) return;
    await pool.createVolume('v1', 256 * MIB);
    const folder = pool.volumePath('v1');
    const script = `cd "$1"; i=0; while [ $i -lt 100000 ]; do i=$((i+1)); printf '%s' $i >a.new; mv a.new a; printf '%s' $i >b.new; mv b.new b; done`;
    const writer = spawn('sh', ['-c', script, 'sh', folder], { stdio: 'ignore' });
    try {
      await eventually('it writes', () => existsSync(join(folder, 'b')));
      for (let round = 0; round < 20; round += 1) {
        await pool.createSnapshot('v1', `s${round}`);
        const kept = pool.snapshotPath('v1', `s${round}`);
        const [a, b] = ['a', 'b'].map((name) => Number(readFileSync(join(kept, name), 'utf8')));
        assert.ok(a === b || a === (b ?? 0) + 1, `a is ${a}, b is ${b}`);
      }
    } finally {
      writer.kill('SIGKILL');
    }
  });

  check('the pool measures who holds what, and what of it nobody else does', async ({ pool }) => {
    await pool.createVolume('v1', 200 * MIB);
    assert.equal(fill(join(pool.volumePath('v1'), 'data'), 20 * MIB).error, undefined);
    await pool.cloneVolume({ volume: 'v1' }, 'v2', 200 * MIB);
    assert.equal(fill(join(pool.volumePath('v2'), 'own'), 10 * MIB).error, undefined);
    const { volumes, snapshots, images } = await pool.measure();
    assert.deepEqual([snapshots, images], [[], []]);
    const [one, two] = volumes;
    assert.deepEqual([one?.id, two?.id], ['v1', 'v2']);
    const about = (bytes: number | undefined, mib: number): boolean =>
      bytes !== undefined && bytes >= mib * MIB && bytes < (mib + 2) * MIB;
    assert.ok(about(one?.total, 20) && about(two?.total, 30), JSON.stringify(volumes));
    const shared = pool.features.reflink ? 20 : 0;
    assert.ok(
      about(one?.exclusive, 20 - shared) && about(two?.exclusive, 30 - shared),
      JSON.stringify(volumes),
    );
  });

  check('what snapshots keep is measured beside their volume, and what they alone keep', async ({ pool }) => {
    if (!pool.features.snapshots) return;
    const about = (bytes: number | undefined, mib: number): boolean =>
      bytes !== undefined && bytes >= mib * MIB && bytes < (mib + 2) * MIB;
    await pool.createVolume('v1', 200 * MIB);
    const file = join(pool.volumePath('v1'), 'file');
    for (const name of ['s1', 's2']) {
      rmSync(file, { force: true });
      assert.equal(fill(file, 10 * MIB).error, undefined);
      await pool.createSnapshot('v1', name);
    }
    assert.equal(fill(join(pool.volumePath('v1'), 'own'), 5 * MIB).error, undefined);
    const staging = await pool.stageImage('i1');
    assert.equal(fill(join(staging, 'disk'), 7 * MIB).error, undefined);
    await pool.sealImage('i1');
    const { volumes, snapshots, images } = await pool.measure();
    const told = JSON.stringify({ volumes, snapshots, images });
    assert.ok(about(volumes[0]?.total, 15) && about(volumes[0]?.exclusive, 5), told);
    assert.ok(about(snapshots[0]?.total, 20) && about(snapshots[0]?.exclusive, 10), told);
    assert.ok(about(images[0]?.total, 7) && about(images[0]?.exclusive, 7), told);
    assert.deepEqual(
      [volumes, snapshots, images].map((all) => all.map(({ id }) => id)),
      [['v1'], ['v1'], ['i1']],
    );
  });

  check('the pool finds its data whole, or says that it cannot tell', async ({ pool }) => {
    await pool.createVolume('v1', 64 * MIB);
    write(pool, 'v1', 'file', 'x'.repeat(MIB));
    const told: number[] = [];
    const checking = pool.check((done) => told.push(done), new AbortController().signal);
    if (!pool.features.snapshots) return assert.rejects(checking, { code: 'not_supported' });
    await checking;
    assert.ok((told.at(-1) ?? 0) >= MIB, String(told));
  });

  check('snapshots and limits outlive closing and opening', async ({ pool, another }) => {
    if (!pool.features.snapshots) return;
    await pool.createVolume('v1', 64 * MIB);
    assert.equal(fill(join(pool.volumePath('v1'), 'file'), 40 * MIB).error, undefined);
    await pool.createSnapshot('v1', 's1');
    await pool.close();
    const later = another();
    await later.open();
    assert.deepEqual(await later.listSnapshots('v1'), ['s1']);
    if (later.features.quota) assert.equal((await later.usage('v1')).limit, 64 * MIB);
    await later.restoreSnapshot('v1', 's1');
    assert.equal(statSync(join(later.volumePath('v1'), 'file')).size, 40 * MIB);
    assert.ok(mountsUnder((await later.info()).path).length <= 1);
  });

  check('a snapshot’s name that is a path, an option, hidden or too long is refused', async ({ pool }) => {
    await pool.createVolume('v1', MIB);
    const refused = { code: 'invalid_request' };
    for (const name of TRICKS) {
      await assert.rejects(pool.createSnapshot('v1', name), refused);
      await assert.rejects(pool.createSnapshot(name, 's1'), refused);
      await assert.rejects(pool.deleteSnapshot('v1', name), refused);
      await assert.rejects(pool.restoreSnapshot('v1', name), refused);
      await assert.rejects(pool.listSnapshots(name), refused);
      await assert.rejects(pool.cloneVolume({ volume: 'v1' }, name, MIB), refused);
      await assert.rejects(pool.cloneVolume({ volume: name }, 'v2', MIB), refused);
      assert.throws(() => pool.snapshotPath('v1', name), refused);
    }
  });

  check('a full pool refuses snapshots and clones, and nothing is harmed', async ({ pool }) => {
    const { size } = await pool.info();
    await pool.createVolume('big', size);
    write(pool, 'big', 'kept', 'kept');
    fill(join(pool.volumePath('big'), 'data'), size);
    const full = { code: 'insufficient_disk' };
    await assert.rejects(pool.cloneVolume({ volume: 'big' }, 'v1', MIB), full);
    if (pool.features.snapshots) await assert.rejects(pool.createSnapshot('big', 's1'), full);
    assert.deepEqual(await pool.listVolumes(), ['big']);
    assert.deepEqual(await pool.listSnapshots('big'), []);
    assert.equal(read(pool, 'big', 'kept'), 'kept');
  });
}
