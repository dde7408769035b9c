import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { MS, mount, mountsUnder } from '../../src/host/mounts.ts';
import { hasCode } from '../../src/host/system-error.ts';
import type { VolumeBackend } from '../../src/storage/volume.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { snapshotChecks } from './volume-snapshots.ts';

const MIB = 1024 ** 2;
export const TRICKS = [
  '',
  '.',
  '..',
  '../x',
  'a/b',
  '/etc',
  'a\0b',
  '-rf',
  '.hidden',
  'a b',
  'ä',
  'x.staging',
  'a'.repeat(200),
];

/** A pool of at most 1 GiB of its own. `another` makes one more object for the same pool, not yet open. */
export interface VolumeFixture extends AsyncDisposable {
  readonly pool: VolumeBackend;
  another(): VolumeBackend;
}

/** Checks that every volume backend passes; what one cannot do must be declared in `features` and be refused. */
export function volumeConformance(name: string, make: () => Promise<VolumeFixture>): void {
  const check = (title: string, body: (fixture: VolumeFixture) => Promise<void>): void => {
    test(title, async () => {
      await using fixture = await make();
      await body(fixture);
    });
  };

  describe(`volumes of ${name}`, () => {
    snapshotChecks(check);

    check('a new volume is an empty folder that only root may enter', async ({ pool }) => {
      await pool.createVolume('v1', 64 * MIB);
      assert.deepEqual(readdirSync(pool.volumePath('v1')), []);
      assert.equal(statSync(pool.volumePath('v1')).mode & 0o7777, 0o700);
      assert.deepEqual(await pool.listVolumes(), ['v1']);
      await assert.rejects(pool.createVolume('v1', 64 * MIB), { code: 'already_exists' });
    });

    check('no file of a volume has the number of a file of an image', async ({ pool, another }) => {
      const numbers = (folder: string): number[] =>
        readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, String(name))).ino);
      const write = (folder: string, count: number): void => {
        for (let index = 0; index < count; index += 1) writeFileSync(join(folder, `${index}`), '');
      };
      const images = ['first', 'second'];
      for (const [index, id] of images.entries()) {
        write(await pool.stageImage(id), 500 * (index + 1));
        await pool.sealImage(id);
        for (const when of ['after', 'again']) {
          await pool.createVolume(`${when}-${id}`, 64 * MIB);
          mkdirSync(join(pool.volumePath(`${when}-${id}`), 'upper'));
        }
      }
      await pool.close();
      const opened = another();
      await opened.open();
      await opened.createVolume('later', 64 * MIB);
      const taken = new Set(images.flatMap((id) => numbers(opened.imagePath(id))));
      assert.ok(taken.size >= 1_000);
      for (const id of ['after-second', 'again-second', 'later']) {
        mkdirSync(join(opened.volumePath(id), 'upper'), { recursive: true });
        write(join(opened.volumePath(id), 'upper'), 600);
        const both = numbers(opened.volumePath(id)).filter((number) => taken.has(number));
        assert.deepEqual(both, [], id);
      }
      await opened.close();
      await pool.open();
    });

    check(
      'of two who create one volume at one time, one wins and the other hears of it',
      async ({ pool }) => {
        const results = await Promise.allSettled([
          pool.createVolume('v1', MIB),
          pool.createVolume('v1', MIB),
        ]);
        assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
        const lost = results.find((result) => result.status === 'rejected');
        assert.equal(lost?.reason.code, 'already_exists');
      },
    );

    check('a deleted volume is gone with all in it, and deleting is safe to repeat', async ({ pool }) => {
      await pool.createVolume('v1', 64 * MIB);
      mkdirSync(join(pool.volumePath('v1'), 'a/b/c'), { recursive: true, mode: 0o500 });
      writeFileSync(join(pool.volumePath('v1'), 'a/b/c/file'), 'x', { mode: 0o400 });
      await Promise.all([pool.deleteVolume('v1'), pool.deleteVolume('v1')]);
      await pool.deleteVolume('v1');
      assert.equal(existsSync(pool.volumePath('v1')), false);
      assert.deepEqual(await pool.listVolumes(), []);
      await assert.rejects(pool.usage('v1'), { code: 'not_found' });
      await assert.rejects(pool.setLimit('v1', 64 * MIB), { code: 'not_found' });
      await pool.createVolume('v1', 64 * MIB);
      assert.deepEqual(readdirSync(pool.volumePath('v1')), []);
    });

    check('what is mounted inside a volume survives its deletion', async ({ pool }) => {
      using outside = scratchDirectory('outside');
      writeFileSync(join(outside.path, 'precious'), 'kept');
      await pool.createVolume('v1', 64 * MIB);
      const inside = join(pool.volumePath('v1'), 'inside');
      mkdirSync(inside);
      mount(outside.path, inside, null, MS.bind);
      await pool.deleteVolume('v1');
      assert.equal(readFileSync(join(outside.path, 'precious'), 'utf8'), 'kept');
      assert.deepEqual(mountsUnder(pool.volumePath('v1')), []);
      assert.equal(existsSync(pool.volumePath('v1')), false);
    });

    check('usage follows what is written, in this volume and no other', async ({ pool }) => {
      await pool.createVolume('v1', 200 * MIB);
      await pool.createVolume('v2', 200 * MIB);
      const before = (await pool.usage('v1')).used;
      assert.ok(before < MIB);
      writeFileSync(join(pool.volumePath('v1'), 'data'), Buffer.alloc(40 * MIB, 1));
      const { used } = await pool.usage('v1');
      assert.ok(used >= 40 * MIB && used < 44 * MIB, `${used} bytes for 40 MiB`);
      assert.ok((await pool.usage('v2')).used < MIB);
      assert.equal((await pool.usage('v1')).limit, pool.features.quota ? 200 * MIB : undefined);
    });

    check('a writer is stopped at the limit, or the pool says that it cannot', async ({ pool }) => {
      await pool.createVolume('v1', 64 * MIB);
      await pool.createVolume('v2', 64 * MIB);
      if (!pool.features.quota) {
        await assert.rejects(pool.setLimit('v1', 32 * MIB), { code: 'not_supported' });
        const lack = (await pool.info()).warnings.find(({ message }) =>
          /not stopped at its disk/.test(message),
        );
        assert.match(lack?.remedy ?? '', /btrfs/);
        return;
      }
      assertStopped(fill(join(pool.volumePath('v1'), 'a'), 200 * MIB), 64 * MIB, 'EDQUOT');
      writeFileSync(join(pool.volumePath('v2'), 'other'), Buffer.alloc(20 * MIB, 1));
      await pool.setLimit('v1', 96 * MIB);
      assertStopped(fill(join(pool.volumePath('v1'), 'b'), 200 * MIB), 32 * MIB, 'EDQUOT');
      assert.equal((await pool.usage('v1')).limit, 96 * MIB);
      assert.ok((await pool.usage('v1')).used <= 96 * MIB);
      await pool.deleteVolume('v1');
      assert.deepEqual(await pool.listVolumes(), ['v2']);
    });

    check('a limit that cannot be is refused, and nothing is made', async ({ pool }) => {
      const { size } = await pool.info();
      await assert.rejects(pool.createVolume('v1', size + 1), { code: 'insufficient_disk' });
      for (const limit of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
        await assert.rejects(pool.createVolume('v1', limit), { code: 'invalid_request' });
      }
      assert.deepEqual(await pool.listVolumes(), []);
      if (!pool.features.quota) return;
      await pool.createVolume('v1', 64 * MIB);
      await assert.rejects(pool.setLimit('v1', size + 1), { code: 'insufficient_disk' });
      assert.equal((await pool.usage('v1')).limit, 64 * MIB);
    });

    check('an id that is a path, an option, hidden or too long is refused everywhere', async ({ pool }) => {
      const refused = { code: 'invalid_request' };
      for (const id of TRICKS) {
        await assert.rejects(pool.createVolume(id, MIB), refused);
        await assert.rejects(pool.deleteVolume(id), refused);
        await assert.rejects(pool.setLimit(id, MIB), refused);
        await assert.rejects(pool.usage(id), refused);
        await assert.rejects(pool.stageImage(id), refused);
        await assert.rejects(pool.sealImage(id), refused);
        await assert.rejects(pool.deleteImage(id), refused);
        assert.throws(() => pool.volumePath(id), refused);
        assert.throws(() => pool.imagePath(id), refused);
      }
    });

    check('an image is staged, filled, sealed and deleted, each safe to repeat', async ({ pool }) => {
      const staging = await pool.stageImage('i1');
      mkdirSync(join(staging, 'rootfs'));
      writeFileSync(join(staging, 'rootfs/file'), 'content');
      assert.deepEqual(await pool.listImages(), [{ id: 'i1', sealed: false }]);
      await pool.sealImage('i1');
      await pool.sealImage('i1');
      assert.deepEqual(await pool.listImages(), [{ id: 'i1', sealed: true }]);
      assert.equal(readFileSync(join(pool.imagePath('i1'), 'rootfs/file'), 'utf8'), 'content');
      if (pool.features.snapshots) {
        assert.throws(() => writeFileSync(join(pool.imagePath('i1'), 'rootfs/file'), ''), { code: 'EROFS' });
      }
      await assert.rejects(pool.stageImage('i1'), { code: 'already_exists' });
      await pool.deleteImage('i1');
      await pool.deleteImage('i1');
      assert.deepEqual(await pool.listImages(), []);
      await assert.rejects(pool.sealImage('i1'), { code: 'not_found' });
    });

    check('staging again starts empty, and an unfinished image can be deleted', async ({ pool }) => {
      writeFileSync(join(await pool.stageImage('i1'), 'half'), 'x');
      assert.deepEqual(readdirSync(await pool.stageImage('i1')), []);
      await pool.deleteImage('i1');
      assert.deepEqual(await pool.listImages(), []);
    });

    check('data, limits and images outlive closing and opening', async ({ pool, another }) => {
      await pool.createVolume('v1', 64 * MIB);
      writeFileSync(join(pool.volumePath('v1'), 'data'), 'kept');
      await pool.stageImage('i1');
      await pool.sealImage('i1');
      await pool.close();
      await pool.close();
      const later = another();
      await later.open();
      assert.equal(readFileSync(join(later.volumePath('v1'), 'data'), 'utf8'), 'kept');
      assert.equal((await later.usage('v1')).limit, later.features.quota ? 64 * MIB : undefined);
      assert.deepEqual(await later.listImages(), [{ id: 'i1', sealed: true }]);
      assert.deepEqual(later.features, pool.features);
    });

    check(
      'opening is safe to repeat, also for several at one time and over living data',
      async ({ pool, another }) => {
        await pool.createVolume('v1', 64 * MIB);
        const others = [another(), another(), another()];
        await Promise.all([pool, ...others].map((one) => one.open()));
        for (const one of others) assert.deepEqual(await one.listVolumes(), ['v1']);
        const { path } = await pool.info();
        assert.ok(mountsUnder(path).length <= 1);
      },
    );

    check('the pool tells its size, what is used and how many volumes it has', async ({ pool }) => {
      const before = await pool.info();
      assert.equal(before.volumes, 0);
      await pool.createVolume('v1', 200 * MIB);
      writeFileSync(join(pool.volumePath('v1'), 'data'), Buffer.alloc(50 * MIB, 1), { flush: true });
      const after = await pool.info();
      assert.equal(after.volumes, 1);
      assert.equal(after.backend, pool.backend);
      assert.ok(after.used + after.free <= after.size);
      const grown = after.used - before.used;
      assert.ok(grown >= 50 * MIB && grown < 60 * MIB, `${grown} more bytes used for 50 MiB`);
    });

    check('the pool grows while it is used, or says that it cannot', async ({ pool }) => {
      const told: [number, number][] = [];
      const listen = (done: number, total: number): void => {
        told.push([done, total]);
      };
      const before = await pool.info();
      if (!pool.features.grow) {
        await assert.rejects(pool.grow(before.size * 2, listen), { code: 'not_supported' });
        return;
      }
      await pool.createVolume('v1', 64 * MIB);
      const size = before.size + 256 * MIB;
      await pool.grow(size, listen);
      await pool.grow(size, listen);
      assert.equal((await pool.info()).size, size);
      assert.ok((await pool.info()).free > before.free);
      assert.deepEqual(told.at(-1), [size, size]);
      await assert.rejects(pool.grow(before.size, listen), { code: 'invalid_request' });
      await assert.rejects(pool.grow(1e17, listen), { code: 'insufficient_disk' });
      assert.equal((await pool.info()).size, size);
    });

    check('a full pool refuses new volumes, still deletes, and has room again', async ({ pool }) => {
      const { size } = await pool.info();
      await pool.createVolume('big', size);
      await pool.createVolume('small', 64 * MIB);
      const { error } = fill(join(pool.volumePath('big'), 'data'), size);
      assert.ok(hasCode(error, 'ENOSPC'), String(error));
      await assert.rejects(pool.createVolume('v1', 64 * MIB), { code: 'insufficient_disk' });
      const [gravest] = (await pool.info()).warnings;
      assert.match(gravest?.message ?? '', /The pool is full/);
      assert.match(gravest?.remedy ?? '', pool.features.grow ? /pool grow default SIZE/ : /nlarge/);
      assert.deepEqual(await pool.listVolumes(), ['big', 'small']);
      await pool.deleteVolume('big');
      await pool.createVolume('v1', 64 * MIB);
      await eventually('the space is back', async () => (await pool.info()).free > size / 2, 10_000);
      writeFileSync(join(pool.volumePath('v1'), 'data'), Buffer.alloc(10 * MIB, 1));
    });

    check('hundreds of volumes are made, listed and deleted', async ({ pool }) => {
      const ids = Array.from({ length: 300 }, (_, index) => `v${String(index).padStart(3, '0')}`);
      for (const id of ids) await pool.createVolume(id, 64 * MIB);
      assert.deepEqual(await pool.listVolumes(), ids);
      assert.equal((await pool.info()).volumes, 300);
      await Promise.all(ids.map((id) => pool.deleteVolume(id)));
      assert.deepEqual(await pool.listVolumes(), []);
    });
  });
}

/** Writes up to `most` bytes; how many went to the disk, and the error that ended it. */
export function fill(path: string, most: number): { written: number; error: unknown } {
  const piece = Buffer.alloc(MIB, 1);
  let written = 0;
  try {
    while (written < most) {
      writeFileSync(path, piece, { flag: 'a', flush: true });
      written += piece.length;
    }
  } catch (error) {
    return { written, error };
  }
  return { written, error: undefined };
}

export function assertStopped(
  result: { written: number; error: unknown },
  limit: number,
  code: string,
): void {
  assert.ok(hasCode(result.error, code), `ended by ${String(result.error)} after ${result.written} bytes`);
  const tolerance = 4 * MIB;
  assert.ok(
    result.written <= limit && result.written >= limit - tolerance,
    `${result.written} bytes went into a limit of ${limit}`,
  );
}
