import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { Readable } from 'node:stream';
import { describe } from 'node:test';
import {
  check,
  done,
  ended,
  FORCE,
  failsWith,
  PROJECT,
  request,
  type World,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { ImportImageRequestSchema } from '../contract/image-requests.ts';
import type { Task } from '../contract/tasks.ts';
import type { Engine } from './contract.ts';

const file = () => Readable.from([Buffer.from('an image')]);
const importing = (name: string, replace = false) => ImportImageRequestSchema.parse({ name, replace });
const publishing = (name: string) => ({ vps: 'web', name, replace: false });
const launched = (engine: Engine) => done(engine, engine.vps.launch(PROJECT, request()));
const names = ({ images }: World): string[] => images.records.map(({ name }) => name).sort();
const waits = (gated: { gate: Promise<void> }): (() => void) => {
  const { promise, resolve } = Promise.withResolvers<void>();
  gated.gate = promise;
  return resolve;
};
const copies = async ({ pool }: World): Promise<string[]> =>
  (await pool.listVolumes()).filter((id) => /^(?:publish|backup)-/.test(id));

async function backedUp(world: World, engine: Engine): Promise<string> {
  await launched(engine);
  await engine.backups.addRepository(PROJECT, { name: 'nas', url: '/srv/backups' });
  mkdirSync(world.pool.imagePath('image-0'), { recursive: true });
  await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  return (await engine.backups.list(PROJECT, {}))[0]?.id ?? '';
}

describe('images at once', () => {
  check('two publishes of one VPS are two images', async (world, engine) => {
    await launched(engine);
    const open = waits(world.images);
    const tasks = await Promise.all(
      ['a', 'b'].map((name) => engine.images.publish(PROJECT, publishing(name))),
    );
    await eventually('both have their copy', async () => (await copies(world)).length === 2);
    open();
    for (const task of tasks) await done(engine, task);
    assert.deepEqual(names(world), ['a', 'b', 'debian/12']);
    assert.deepEqual(await copies(world), []);
  });

  check('of two publishes to one name the second is refused', async (world, engine) => {
    await launched(engine);
    const open = waits(world.images);
    const tasks = await Promise.all([1, 2].map(() => engine.images.publish(PROJECT, publishing('a'))));
    open();
    const states = await Promise.all(tasks.map(async (task) => (await ended(engine, task)).error?.code));
    assert.deepEqual(states, [undefined, 'already_exists']);
    assert.deepEqual(names(world), ['a', 'debian/12']);
    assert.deepEqual(await copies(world), []);
  });

  check(
    'a VPS that is deleted while it is published becomes an image all the same',
    async (world, engine) => {
      await launched(engine);
      const open = waits(world.images);
      const task = await engine.images.publish(PROJECT, publishing('a'));
      await eventually('it is copied', async () => (await copies(world)).length === 1);
      await done(engine, engine.vps.delete(PROJECT, 'web', FORCE));
      open();
      await done(engine, task);
      assert.deepEqual(names(world), ['a', 'debian/12']);
      assert.deepEqual(await world.pool.listVolumes(), []);
    },
  );

  check(
    'of two imports to one name the second is refused, and its client hears why',
    async (world, engine) => {
      const tasks = await Promise.all([1, 2].map(() => engine.images.import(PROJECT, importing('a'))));
      const [one, two] = tasks.map(({ id }) => engine.images.upload(id, file()));
      await one;
      await assert.rejects(two ?? Promise.resolve(), failsWith('already_exists'));
      const [first, second] = await Promise.all(tasks.map((task) => ended(engine, task)));
      assert.deepEqual([first?.state, second?.error?.code], ['done', 'already_exists']);
      assert.deepEqual(names(world), ['a', 'debian/12']);
    },
  );

  check('of two imports that replace each other one is left', async (world, engine) => {
    const tasks = await Promise.all([1, 2].map(() => engine.images.import(PROJECT, importing('a', true))));
    await Promise.all(tasks.map(({ id }) => engine.images.upload(id, file())));
    for (const task of tasks) await done(engine, task);
    assert.deepEqual(names(world), ['a', 'debian/12']);
  });

  check('two exports of one image are both given whole', async (_world, engine) => {
    const tasks = await Promise.all([1, 2].map(() => engine.images.export(PROJECT, 'debian/12', {})));
    const read = async ({ id }: Task): Promise<string> =>
      Buffer.concat(await (await engine.images.download(id)).toArray()).toString();
    assert.deepEqual(await Promise.all(tasks.map(read)), ['image-0', 'image-0']);
    for (const task of tasks) await done(engine, task);
  });

  check('a transfer that is cancelled while it waits ends at once, on both sides', async (_world, engine) => {
    const [first, second] = await Promise.all(
      [1, 2].map(() => engine.images.export(PROJECT, 'debian/12', {})),
    );
    const [one, two] = await Promise.all([1, 2].map(() => engine.images.import(PROJECT, importing('a'))));
    assert.ok(first && second && one && two);
    const reading = engine.images.download(second.id);
    const sending = engine.images.upload(two.id, file());
    for (const { id } of [second, two]) await engine.tasks.cancel(id);
    for (const task of [second, two]) assert.equal((await ended(engine, task)).state, 'cancelled');
    await assert.rejects(reading, failsWith('cancelled'));
    await assert.rejects(sending, failsWith('cancelled'));
    for (const { id } of [first, one]) await engine.tasks.cancel(id);
    for (const task of [first, one]) assert.equal((await ended(engine, task)).state, 'cancelled');
  });

  check('a project is not deleted while something comes into it', async (_world, engine) => {
    await engine.projects.create({ name: 'shop', description: '' });
    const task = await engine.images.import('shop', importing('a'));
    await assert.rejects(engine.projects.delete('shop'), failsWith('in_use', /task image\.import of a/));
    await engine.tasks.cancel(task.id);
    await ended(engine, task);
    await engine.backups.addRepository('shop', { name: 'nas', url: '/srv/shop' });
    await assert.rejects(engine.projects.delete('shop'), failsWith('in_use', /backup repository nas/));
    await engine.backups.removeRepository('shop', 'nas');
    await engine.projects.delete('shop');
  });
});

describe('backups at once', () => {
  check('a VPS is restored from a backup while another is made of it', async (world, engine) => {
    const backup = await backedUp(world, engine);
    const open = waits(world.backups);
    const task = await engine.backups.create(PROJECT, { vps: 'web' });
    await eventually('it is copied', async () => (await copies(world)).length === 1);
    await done(engine, engine.backups.restore(PROJECT, backup, { name: 'twin', start: true }));
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    await done(engine, engine.snapshots.restore(PROJECT, 'web', 's1'));
    open();
    await done(engine, task);
    assert.deepEqual(await copies(world), []);
  });

  check('a VPS that is gone before its backup begins is missed by name', async (world, engine) => {
    await backedUp(world, engine);
    const open = waits(world.backups);
    const first = await engine.backups.create(PROJECT, { vps: 'web' });
    const second = await engine.backups.create(PROJECT, { vps: 'web' });
    await eventually('it is copied', async () => (await copies(world)).length === 1);
    await done(engine, engine.vps.delete(PROJECT, 'web', FORCE));
    open();
    await done(engine, first);
    const { error } = await ended(engine, second);
    assert.deepEqual([error?.code, error?.message], ['not_found', 'The VPS web is gone.']);
    assert.deepEqual(await copies(world), []);
  });

  check('a repository stays while a VPS is brought back from it', async (world, engine) => {
    const backup = await backedUp(world, engine);
    const restore = world.backups.restore.bind(world.backups);
    const open = Promise.withResolvers<void>();
    world.backups.restore = async (...parameters) => {
      await open.promise;
      return restore(...parameters);
    };
    const task = await engine.backups.restore(PROJECT, backup, { name: 'twin', start: false });
    await assert.rejects(engine.backups.removeRepository(PROJECT, 'nas'), failsWith('in_use', /reads/));
    open.resolve();
    await done(engine, task);
    await engine.backups.removeRepository(PROJECT, 'nas');
  });
});
