import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  check,
  done,
  ended,
  failsWith,
  fault,
  PROJECT,
  request,
  STOP,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { BuildImageRequestSchema } from '../contract/resources.ts';
import { GIB } from '../contract/sizes.ts';
import { ExecRequestSchema } from '../contract/streams.ts';
import type { Event } from '../contract/tasks.ts';

describe('projects and networks', () => {
  check('there is always the project and network default', async (_world, engine) => {
    assert.deepEqual(
      (await engine.projects.list()).map(({ name, networks }) => [name, networks]),
      [['default', 1]],
    );
    const [network] = await engine.networks.list(PROJECT);
    assert.equal(network?.ipv4, '10.77.0.1/24');
    await assert.rejects(engine.projects.delete(PROJECT), failsWith('in_use'));
  });

  check(
    'a name belongs to its project, and each project has a network of its own',
    async (_world, engine) => {
      await engine.projects.create({ name: 'shop', description: '' });
      await assert.rejects(
        engine.projects.create({ name: 'shop', description: '' }),
        failsWith('already_exists'),
      );
      await done(engine, engine.vps.launch(PROJECT, request()));
      await done(engine, engine.vps.launch('shop', request()));
      const [one, two] = [await engine.vps.info(PROJECT, 'web'), await engine.vps.info('shop', 'web')];
      assert.notEqual(one.addresses[0]?.split('.')[2], two.addresses[0]?.split('.')[2]);
      assert.equal((await engine.vps.list('shop')).length, 1);
      await assert.rejects(engine.networks.info('shop', 'dmz'), failsWith('not_found'));
      await engine.networks.create(PROJECT, { name: 'dmz' });
      await assert.rejects(engine.networks.info('shop', 'dmz'), failsWith('not_found'));
      await assert.rejects(
        engine.vps.launch('shop', request({ name: 'x', network: 'dmz' })),
        failsWith('not_found'),
      );
      await assert.rejects(engine.projects.delete('shop'), failsWith('in_use', /the VPS web/));
      await done(engine, engine.vps.delete('shop', 'web', { force: true }));
      await engine.projects.delete('shop');
      await assert.rejects(engine.vps.list('shop'), failsWith('not_found'));
    },
  );

  check('a network is made with a subnet of its own and deleted when unused', async (world, engine) => {
    const dmz = await engine.networks.create(PROJECT, { name: 'dmz', ipv4: '10.90.0.0/24' });
    assert.equal(dmz.ipv4, '10.90.0.1/24');
    await assert.rejects(engine.networks.create(PROJECT, { name: 'dmz' }), failsWith('already_exists'));
    await assert.rejects(
      engine.networks.create(PROJECT, { name: 'lan', ipv4: '10.90.0.0/16' }),
      failsWith('in_use'),
    );
    const made = await Promise.all(['a', 'b', 'c'].map((name) => engine.networks.create(PROJECT, { name })));
    assert.equal(new Set(made.map(({ bridge }) => bridge)).size, 3);
    await done(engine, engine.vps.launch(PROJECT, request({ network: 'dmz' })));
    await assert.rejects(engine.networks.delete(PROJECT, 'dmz'), failsWith('in_use', /web/));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    await engine.networks.delete(PROJECT, 'dmz');
    assert.ok(!world.network.networks.has('default/dmz'));
  });
});

describe('images and pools', () => {
  check('an image that a task reads is neither deleted nor collected', async (world, engine) => {
    world.images.add('own', PROJECT, ['rootfs']);
    const task = await engine.images.export(PROJECT, 'own', {});
    const leave = () => engine.images.delete(PROJECT, 'own');
    await eventually('it is held', () => leave().then(() => false, failsWith('in_use', /being read/)));
    world.images.add('own', PROJECT, ['rootfs']);
    world.images.add('other', PROJECT, ['rootfs']);
    await done(engine, engine.images.delete(PROJECT, 'other'));
    for await (const _piece of await engine.images.download(task.id));
    await ended(engine, task);
    await eventually('what was replaced goes', () => world.images.records.length === 2);
    await done(engine, leave());
  });

  check('an image built anew replaces the old one, which goes with its last VPS', async (world, engine) => {
    const [old] = world.images.records;
    assert.ok(old !== undefined);
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.images.build(PROJECT, build('debian/12')));
    const listed = await engine.images.list(PROJECT);
    assert.deepEqual(
      listed.map(({ name }) => name),
      ['debian/12'],
    );
    assert.notEqual(listed[0]?.id, old.id);
    assert.equal(world.images.records.length, 2);
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'db' })));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    assert.deepEqual(
      world.images.records.map(({ id }) => id),
      [listed[0]?.id],
    );
    await done(engine, engine.images.build(PROJECT, build('debian/12')));
    assert.equal((await engine.images.list(PROJECT)).length, 1);
    assert.equal(world.images.records.length, 2, 'db still uses the one before');
  });

  const build = (name: string) => BuildImageRequestSchema.parse({ name, suite: 'bookworm' });

  check('an image is built, shared, used and deleted when unused', async (_world, engine) => {
    await engine.projects.create({ name: 'shop', description: '' });
    const task = await done(engine, engine.images.build('shop', build('own')));
    assert.equal(task.progress.children[0]?.name, 'download');
    assert.deepEqual(
      (await engine.images.list('shop')).map(({ name }) => name),
      ['debian/12', 'own'],
    );
    await assert.rejects(engine.images.info(PROJECT, 'own'), failsWith('not_found'));
    await assert.rejects(engine.images.delete('shop', 'debian/12'), failsWith('forbidden'));
    await done(engine, engine.vps.launch('shop', request({ image: 'own' })));
    assert.equal((await engine.images.info('shop', 'own')).usedBy, 1);
    await assert.rejects(engine.images.delete('shop', 'own'), failsWith('in_use', /web/));
    await done(engine, engine.vps.delete('shop', 'web', { force: true }));
    await done(engine, engine.images.delete('shop', 'own'));
    await assert.rejects(engine.images.info('shop', 'own'), failsWith('not_found'));
  });

  check('a build can be cancelled', async (_world, engine) => {
    const task = await engine.images.build(PROJECT, build('endless'));
    await engine.tasks.cancel(task.id);
    assert.equal((await ended(engine, task)).state, 'cancelled');
  });

  check('a pool grows, and never shrinks', async (world, engine) => {
    await done(engine, engine.pools.grow('default', 200 * GIB));
    assert.equal(world.pool.size, 200 * GIB);
    await assert.rejects(engine.pools.grow('default', GIB), failsWith('invalid_request'));
    await assert.rejects(engine.pools.info('other'), failsWith('not_found'));
  });
});

describe('what one can see', () => {
  check('events have rising ids and tell of each state', async (_world, engine) => {
    const controller = new AbortController();
    const seen: Event[] = [];
    const reading = (async () => {
      for await (const event of engine.events.subscribe({ project: PROJECT }, controller.signal))
        seen.push(event);
    })();
    const task = await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await eventually('the last event', () => seen.filter(({ type }) => type === 'task.done').length === 2);
    controller.abort();
    await reading;
    assert.deepEqual(
      seen.filter(({ type }) => type === 'vps.state').map(({ data }) => data.state),
      ['running', 'stopping', 'stopped'],
    );
    seen.reduce((before, { id }) => {
      assert.ok(id > before);
      return id;
    }, 0);
    assert.ok(seen.some(({ type, data }) => type === 'task.done' && data.task === task.id));
  });

  check('a task can be waited for, or for a time', async (_world, engine) => {
    const task = await engine.vps.launch(PROJECT, request(fault('slow:100')));
    assert.equal((await engine.tasks.wait(task.id, 0.02)).state, 'running');
    assert.equal((await engine.tasks.wait(task.id, 10)).state, 'done');
    assert.equal((await engine.tasks.list(PROJECT))[0]?.id, task.id);
    await assert.rejects(engine.tasks.get('nosuchtask'), failsWith('not_found'));
  });

  check('all five techniques are reported', async (_world, engine) => {
    const reports = await engine.techniques(true);
    assert.deepEqual(
      reports.map(({ id, state }) => [id, state]),
      [
        ['os', 'healthy'],
        ['full', 'healthy'],
        ['hardware', 'undetected'],
        ['kernel', 'undetected'],
        ['para', 'undetected'],
      ],
    );
  });

  check('doctor finds what nobody owns and who is in error', async (world, engine) => {
    await world.pool.createVolume('stranger', 1);
    const checks = await engine.doctor();
    assert.deepEqual(checks.find(({ name }) => name === 'leftovers')?.evidence, ['volume stranger']);
    assert.equal(checks.find(({ name }) => name === 'techniques')?.state, 'ok');
  });

  check('commands, files, console and logs reach the guest', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const session = await engine.vps.exec(
      PROJECT,
      'web',
      ExecRequestSchema.parse({ argv: ['sh', '-c', 'exit 3'] }),
    );
    session.stdout.resume();
    session.stderr?.resume();
    assert.equal(await session.exit, 3);
    const { Readable } = await import('node:stream');
    await engine.files.push(PROJECT, 'web', '/root/x', Readable.from(['hello']), 0o600);
    assert.equal(String(await (await engine.files.pull(PROJECT, 'web', '/root/x')).toArray()), 'hello');
    assert.deepEqual(
      (await engine.files.list(PROJECT, 'web', '/root')).map(({ name }) => name),
      ['x'],
    );
    const logs = await engine.vps.logs(PROJECT, 'web', {
      follow: false,
      signal: new AbortController().signal,
    });
    assert.match(String(await logs.toArray()), /web is up/);
    (await engine.vps.console(PROJECT, 'web')).destroy();
  });
});
