import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe } from 'node:test';
import { addRepo, backedUp, launched, volumes } from '../../../test/support/backup-world.ts';
import { check, done, failsWith, PROJECT, type World } from '../../../test/support/engine-world.ts';
import { GIB } from '../../contract/sizes.ts';
import type { ImageRecord } from '../../images/image-store.ts';
import type { Engine } from '../contract.ts';

/** As on a host where an image of that name is another one, or none is. */
function replaceImages(world: World, ...others: readonly Partial<ImageRecord>[]): void {
  const [image] = world.images.records.splice(0);
  assert.ok(image);
  world.images.records.push(...others.map((other) => ({ ...image, ...other })));
}

const OURS = { id: 'image-ours', digest: 'sha256:ours', createdAt: '2026-02-01T00:00:00.000Z' };

describe('the image of a restored VPS', () => {
  const restoreTwin = async (world: World, engine: Engine, ...images: readonly Partial<ImageRecord>[]) => {
    // What the repository says of the image is whatever its writer likes.
    replaceImages(world, { createdAt: '2999-01-01T00:00:00.000Z' });
    const id = await backedUp(world, engine);
    replaceImages(world, ...images);
    return done(engine, engine.backups.restore(PROJECT, id, { name: 'twin', start: false }));
  };

  check('takes the name of none that is here', async (world, engine) => {
    const { warnings } = await restoreTwin(world, engine, OURS);
    const { image } = await engine.vps.info(PROJECT, 'twin');
    assert.match(image, /^debian\/12-restored-[0-9a-f]{8}$/);
    assert.match(warnings.join(), new RegExp(`another image debian/12 here: .* is ${image}`));
    assert.equal(world.images.find(PROJECT, 'debian/12')?.id, OURS.id);
    const restored = world.images.find(PROJECT, image);
    assert.equal(restored?.digest, 'sha256:0');
    assert.ok(restored.createdAt < '2999', restored.createdAt);
    await done(
      engine,
      engine.backups.restore(PROJECT, await newest(engine), { name: 'again', start: false }),
    );
    assert.equal((await engine.vps.info(PROJECT, 'again')).image, image, 'it is there once');
  });

  check('keeps its name where that is free', async (world, engine) => {
    const { warnings } = await restoreTwin(world, engine);
    assert.equal((await engine.vps.info(PROJECT, 'twin')).image, 'debian/12');
    assert.deepEqual(warnings, []);
    assert.ok((world.images.find(PROJECT, 'debian/12')?.createdAt ?? '') < '2999');
  });
});

describe('the firewall groups of a restored VPS', () => {
  check('are those of the same names, and those that are missing are told', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    for (const name of ['front', 'back', 'default']) {
      await engine.firewall.create(PROJECT, { name, description: '' });
    }
    await engine.firewall.join(PROJECT, 'front', 'web');
    await engine.firewall.join(PROJECT, 'back', 'web');
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const id = await newest(engine);
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    await engine.firewall.delete(PROJECT, 'back');
    const { warnings } = await done(engine, engine.backups.restore(PROJECT, id, { start: true }));
    assert.deepEqual(warnings, [
      'It was in the firewall group back, which the project default does not have.',
    ]);
    assert.deepEqual((await engine.firewall.info(PROJECT, 'front')).members, ['web']);
    assert.deepEqual((await engine.firewall.info(PROJECT, 'default')).members, []);
    const front = world.network.firewall.find(({ members }) => members.length > 0);
    assert.equal(front?.members[0]?.vps, (await engine.vps.info(PROJECT, 'web')).id, 'it is guarded');
    await done(engine, engine.backups.verify(PROJECT, id));
    assert.deepEqual((await engine.firewall.info(PROJECT, 'front')).members, ['web']);
  });
});

describe('a file off a disk of a backup', () => {
  const machine = async (world: World, engine: Engine): Promise<string> => {
    const id = await launched(world, engine);
    rmSync(join(world.pool.volumePath(id), 'upper'), { recursive: true });
    writeFileSync(join(world.pool.volumePath(id), 'disk.raw'), 'a disk');
    await addRepo(engine);
    world.pool.charged = 3 * GIB;
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    return newest(engine);
  };

  check('is refused where the disk has no room, or ends before others lack theirs', async (world, engine) => {
    const id = await machine(world, engine);
    const read = async () => text(await engine.backups.file(PROJECT, id, '/etc/fstab', stop.signal));
    const stop = new AbortController();
    world.pool.used = world.pool.size - 4.5 * GIB;
    const says = failsWith('insufficient_disk', /the disk of web: 4\.5G are left .*; it needs 3G/);
    await assert.rejects(read(), says);
    world.pool.used = 0;
    const restore = world.backups.restore.bind(world.backups);
    world.backups.restore = async (_place, _id, { signal }) => {
      world.pool.used = world.pool.size - GIB;
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    await assert.rejects(read(), failsWith('insufficient_disk', /the disk of web: 1G are left/));
    world.pool.used = 0;
    world.backups.restore = restore;
    assert.equal(await read(), 'of a disk');
    assert.equal((await volumes(world)).length, 1);
  });

  check('keeps its repository until it was read', async (world, engine) => {
    const id = await machine(world, engine);
    const { signal } = new AbortController();
    const content = await engine.backups.file(PROJECT, id, '/etc/fstab', signal);
    await assert.rejects(
      engine.backups.removeRepository(PROJECT, 'nas'),
      failsWith('in_use', /reads the repository/),
    );
    assert.equal(await text(content), 'of a disk');
    await engine.backups.removeRepository(PROJECT, 'nas');
  });
});

async function newest(engine: Engine): Promise<string> {
  return (await engine.backups.list(PROJECT, {})).at(-1)?.id ?? '';
}
