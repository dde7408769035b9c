import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { createReadStream, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asMullionError } from '../../src/contract/errors.ts';
import { kernelKnows } from '../../src/host/file-systems.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { BtrfsPool } from '../../src/storage/btrfs/btrfs-pool.ts';
import { LoopGround } from '../../src/storage/btrfs/loop-ground.ts';
import { fill } from '../conformance/volumes.ts';
import { craftTar, HONEST } from '../support/crafted-archive.ts';
import { ImageShop } from '../support/image-shop.ts';

const MIB = 1024 ** 2;
const never = new AbortController().signal;
const missing = ['crun', 'mke2fs', 'fuse2fs', 'getfattr', 'mkfs.btrfs'].filter((name) => !hasProgram(name));
const unfit =
  missing.length > 0
    ? `these programs are not installed: ${missing.join(', ')}`
    : (await kernelKnows('btrfs'))
      ? undefined
      : 'this kernel has no btrfs';

/** Content that no file system makes smaller, as files of an archive. */
const bulk = (mib: number): Buffer =>
  craftTar([
    ...HONEST,
    ...Array.from({ length: mib }, (_, at) => ({ name: `bulk${at}`, content: randomBytes(MIB) })),
  ]);

test('what the pool has no room for is refused with what it needs, and leaves nothing', async (t) => {
  if (unfit !== undefined) return t.skip(unfit);
  let pool: BtrfsPool | undefined;
  using shop = await ImageShop.open({}, (folder) => {
    const ground = new LoopGround(join(folder, 'pool.btrfs'), join(folder, 'pool'), 512 * MIB);
    pool = new BtrfsPool(ground, 'test', join(folder, 'lock'));
    return pool;
  });
  assert.ok(pool !== undefined);
  const btrfs = pool;
  try {
    const { record: root } = await shop.take(bulk(48), { name: 'root' });
    const disk = join(shop.path, 'disk');
    const tree = join(shop.path, 'tree');
    mkdirSync(tree);
    for (let at = 0; at < 48; at++) writeFileSync(join(tree, `bulk${at}`), randomBytes(MIB));
    writeFileSync(disk, Buffer.alloc(96 * MIB));
    await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, disk]);
    const { record: machine } = await shop.store.import(
      'default',
      { name: 'machine', format: 'raw', origin: '', replace: false },
      createReadStream(disk),
      () => undefined,
      never,
    );
    await btrfs.createVolume('neighbour', 400 * MIB);
    await btrfs.createVolume('hog', 500 * MIB);
    await btrfs.createVolume('source', 64 * MIB);
    mkdirSync(join(btrfs.volumePath('source'), 'upper'));
    const publish = () =>
      shop.store.publish(
        'default',
        { name: 'published', origin: '' },
        { volume: btrfs.volumePath('source'), base: root.id },
        () => undefined,
        never,
      );
    const before = shop.left();
    const { free } = await btrfs.info();
    // Enough that work begins, too little that it ends.
    fill(join(btrfs.volumePath('hog'), 'filling'), free - 70 * MIB);
    const refusal = async (work: () => Promise<unknown>): Promise<string> => {
      const failure = await work().then(
        () => assert.fail('there was room'),
        (thrown: unknown) => asMullionError(thrown),
      );
      assert.equal(failure.code, 'insufficient_disk', `${failure.code}: ${failure.message}`);
      assert.match(failure.remedy, /pool grow/);
      assert.deepEqual(shop.left(), before);
      // At once: the room of VPSs was never taken.
      writeFileSync(join(btrfs.volumePath('neighbour'), 'goes-on'), 'x', { flush: true });
      return failure.message;
    };

    await t.test('an import whose size is known, before it begins', async () => {
      const work = () => shop.take(bulk(1), { name: 'large', size: 300 * MIB });
      assert.match(await refusal(work), /needs 30\d MiB; \d+ MiB are free/);
    });
    await t.test('an import whose size is not known, when the pool nears its end', async () => {
      assert.match(
        await refusal(() => shop.take(bulk(120), { name: 'large' })),
        /no room for the image large: .* left/,
      );
    });
    await t.test('a root file system made of a disk', async () => {
      const work = () => shop.store.provide(machine.id, ['rootfs'], never);
      assert.match(await refusal(work), /of the image machine|needs \d+ MiB/);
    });
    await t.test('a disk made of a root file system', async () => {
      const work = () => shop.store.provide(root.id, ['disk'], never);
      assert.match(await refusal(work), /of the image root|needs \d+ MiB/);
    });
    await t.test('a VPS to publish', async () => {
      assert.match(await refusal(publish), /no room for the image published: .* left/);
    });
    await t.test('a file to export', async () => {
      const work = () => shop.store.export(machine.id, 'vdi', () => undefined, never);
      assert.match(await refusal(work), /no room for the export of machine: .* left .*; it needs \d+/);
    });
    await t.test('but what is exported as it lies there needs none', async () => {
      await using file = await shop.store.export(machine.id, 'raw', () => undefined, never);
      assert.equal(
        (await file.content.toArray()).reduce((sum, piece) => sum + piece.length, 0),
        96 * MIB,
      );
      assert.deepEqual(shop.left(), before);
    });
    await t.test('and all of it works once there is room', async () => {
      rmSync(join(btrfs.volumePath('hog'), 'filling'));
      await btrfs.deleteVolume('hog');
      await run(['btrfs', 'filesystem', 'sync', join(shop.path, 'pool')]);
      await shop.store.provide(machine.id, ['rootfs'], never);
      await shop.store.provide(root.id, ['disk'], never);
      await publish();
      await using file = await shop.store.export(machine.id, 'vdi', () => undefined, never);
      assert.ok((file.size ?? 0) > 40 * MIB);
      file.content.destroy();
    });
  } finally {
    await btrfs.close();
  }
});
