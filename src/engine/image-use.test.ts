import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { describe } from 'node:test';
import {
  check,
  done,
  failsWith,
  PROJECT,
  request,
  STOP,
  type World,
} from '../../test/support/engine-world.ts';
import type { Engine } from './engine.ts';

const IMAGE = 'brief';

async function launched(world: World, engine: Engine): Promise<void> {
  world.images.add(IMAGE, PROJECT);
  await done(engine, engine.vps.launch(PROJECT, request({ image: IMAGE })));
}

/** The image cannot be deleted, and its row says how many use it. */
async function isUsedBy(engine: Engine, ...users: readonly string[]): Promise<void> {
  const says = failsWith('in_use', new RegExp(`${IMAGE} is used by ${users.join(', ')}\\.`));
  await assert.rejects(engine.images.delete(PROJECT, IMAGE), says);
  const row = (await engine.images.list(PROJECT)).find(({ name }) => name === IMAGE);
  assert.equal(row?.usedBy, users.length);
}

async function isFree(world: World, engine: Engine): Promise<void> {
  assert.equal((await engine.images.info(PROJECT, IMAGE)).usedBy, 0);
  await done(engine, engine.images.delete(PROJECT, IMAGE));
  assert.ok(world.images.records.every(({ name }) => name !== IMAGE));
}

const gone = (engine: Engine, name: string) =>
  done(engine, engine.vps.delete(PROJECT, name, { force: true }));

describe('an image cannot be deleted', () => {
  check('while a stopped VPS and its snapshots need it', async (world, engine) => {
    await launched(world, engine);
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await isUsedBy(engine, 'web');
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
    await isUsedBy(engine, 'web');
    await done(engine, engine.snapshots.delete(PROJECT, 'web', 'before'));
    await isUsedBy(engine, 'web');
    await gone(engine, 'web');
    await isFree(world, engine);
  });

  check('while a copy needs it whose source is gone, or a copy of a snapshot', async (world, engine) => {
    await launched(world, engine);
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
    await done(engine, engine.vps.copy(PROJECT, 'web', { name: 'twin', start: false }));
    await done(engine, engine.vps.copy(PROJECT, 'web', { name: 'older', snapshot: 'before', start: false }));
    await isUsedBy(engine, 'web', 'twin', 'older');
    await gone(engine, 'web');
    await gone(engine, 'twin');
    await isUsedBy(engine, 'older');
    await gone(engine, 'older');
    await isFree(world, engine);
  });

  check('while a VPS of another project needs it', async (world, engine) => {
    await engine.projects.create({ name: 'shop', description: '' });
    world.images.add(IMAGE, PROJECT);
    await done(engine, engine.vps.launch('shop', request({ image: IMAGE })));
    await isUsedBy(engine, 'web');
    await done(engine, engine.vps.delete('shop', 'web', { force: true }));
    await isFree(world, engine);
  });

  check('after a restore has brought it back', async (world, engine) => {
    await launched(world, engine);
    // A restore takes an image that is alike and here.
    const { records } = world.images;
    const at = records.findIndex(({ name }) => name === IMAGE);
    const [record] = records.splice(at, 1);
    assert.ok(record);
    records.push({ ...record, digest: 'sha256:1' });
    const { id } = await engine.vps.info(PROJECT, 'web');
    const image = world.images.find(PROJECT, IMAGE)?.id ?? '';
    mkdirSync(world.pool.imagePath(image), { recursive: true });
    await engine.backups.addRepository(PROJECT, { name: 'nas', url: '/srv/backups' });
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const [backup] = await engine.backups.list(PROJECT, {});
    await gone(engine, 'web');
    await isFree(world, engine);
    const restore = { name: 'web', start: false };
    await done(engine, engine.backups.restore(PROJECT, backup?.id ?? '', restore));
    assert.notEqual((await engine.vps.info(PROJECT, 'web')).id, id);
    await isUsedBy(engine, 'web');
    assert.notEqual((await engine.images.info(PROJECT, IMAGE)).id, image);
    await gone(engine, 'web');
    await isFree(world, engine);
  });

  check('unless all that is left of it is a memory template, which goes with it', async (world, engine) => {
    world.images.add(IMAGE, PROJECT);
    const warm = request({ image: IMAGE, technique: 'full', warm: true });
    await done(engine, engine.vps.launch(PROJECT, warm));
    await isUsedBy(engine, 'web');
    const builds = (await engine.tasks.list(PROJECT)).filter(({ kind }) => kind === 'template.build');
    for (const task of builds) await engine.tasks.wait(task.id, 5);
    assert.equal((await world.pool.listVolumes()).length, 2);
    await gone(engine, 'web');
    assert.equal((await world.pool.listVolumes()).length, 1);
    await isFree(world, engine);
    assert.deepEqual(await world.pool.listVolumes(), []);
  });
});
