import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { addRepo, launched, volumes } from '../../test/support/backup-world.ts';
import {
  check,
  done,
  ended,
  failsWith,
  NOTHING,
  PROJECT,
  STOP,
  World,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { MullionError } from '../contract/errors.ts';
import { GIB } from '../contract/sizes.ts';
import type { Engine } from './contract.ts';

describe('repositories', () => {
  check('are named once, and their keys are the owner’s to take', async (world, engine) => {
    await addRepo(engine);
    await assert.rejects(addRepo(engine), failsWith('already_exists'));
    const { key } = await engine.backups.repositoryKey(PROJECT, 'nas');
    assert.ok(key.length > 8);
    assert.ok(!JSON.stringify(await engine.backups.repositories(PROJECT)).includes(key));
    for (const { value } of await world.store.list('')) assert.ok(!JSON.stringify(value).includes(key));
    await engine.backups.removeRepository(PROJECT, 'nas');
    assert.deepEqual(await engine.backups.repositories(PROJECT), []);
    assert.deepEqual(await world.backups.places(), []);
  });

  check('are added once to a project, and to another again', async (_world, engine) => {
    await addRepo(engine);
    await assert.rejects(addRepo(engine, 'again', '/srv/backups/'), failsWith('already_exists', /nas is at/));
    await engine.projects.create({ name: 'shop', description: '' });
    await engine.backups.addRepository('shop', { name: 'again', url: '/srv/backups' });
  });

  check('do not lie inside what they back up', async (world, engine) => {
    const inside = addRepo(engine, 'bad', `${world.naming.stateDirectory}/backups`);
    await assert.rejects(inside, failsWith('invalid_request', /another disk/));
  });

  check('that do not answer are not kept', async (_world, engine) => {
    await assert.rejects(addRepo(engine, 'far', '/unreachable'), failsWith('repository_unreachable'));
    assert.deepEqual(await engine.backups.repositories(PROJECT), []);
  });
});

describe('a repository that is broken', () => {
  check('fails the backup into it that relies on what it has lost', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.backups.lost.add('/srv/backups');
    const task = await ended(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.equal(task.error?.code, 'backup_damaged');
    assert.match(task.error.message, /was written, but it cannot be relied on: .*lost something/);
    assert.equal((await engine.backups.list(PROJECT, {})).length, 1, 'it may hold all the same');
    world.backups.lost.clear();
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  });

  check('is told with how to list the backups of the others', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine, 'far', '/srv/far');
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web', repository: 'nas' }));
    world.backups.away.add('/srv/far');
    const says = failsWith('repository_unreachable', /far is not there.*mullion backup list --repo nas/);
    await assert.rejects(engine.backups.list(PROJECT, {}), says);
    const [backup] = await engine.backups.list(PROJECT, { repository: 'nas' });
    await done(engine, engine.backups.restore(PROJECT, backup?.id ?? '', { name: 'twin', start: false }));
    const { error } = await ended(engine, engine.backups.create(PROJECT, { vps: 'web', repository: 'far' }));
    assert.equal(error?.code, 'repository_unreachable');
    assert.equal((await volumes(world)).length, 2);
  });

  check('is found by doctor', async (world, engine) => {
    await addRepo(engine);
    const report = async () => (await engine.doctor()).find(({ name }) => name === 'backups');
    assert.equal((await report())?.state, 'ok');
    world.backups.lost.add('/srv/backups');
    assert.equal((await report())?.state, 'failed');
    assert.match((await report())?.evidence.join() ?? '', /default\/nas: .* has lost something/);
  });
});

describe('a restore into a pool without room', () => {
  check('is refused with what it needs, or ends before others lack theirs', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.pool.charged = 3 * GIB;
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const [backup] = await engine.backups.list(PROJECT, {});
    const restore = () => engine.backups.restore(PROJECT, backup?.id ?? '', { name: 'twin', start: false });
    world.pool.used = world.pool.size - 4.5 * GIB;
    const refused = (await ended(engine, restore())).error;
    assert.equal(refused?.code, 'insufficient_disk');
    assert.match(refused?.message ?? '', /the data of twin: 4\.5G are left .*; it needs 3G/);
    world.pool.used = 0;
    world.backups.restore = async (_place, _id, { signal }) => {
      world.pool.used = world.pool.size - GIB;
      await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    };
    const cut = (await ended(engine, restore())).error;
    assert.equal(cut?.code, 'insufficient_disk');
    assert.match(cut?.message ?? '', /the data of twin: 1G are left .*; it needs 3G/);
    assert.equal((await volumes(world)).length, 1);
    assert.equal((await engine.vps.list(PROJECT)).length, 1);
  });
});

describe('a backup', () => {
  check('holds the data and the image, and leaves no copy behind', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const kinds = world.backups.saved.get('/srv/backups')?.map(({ labels }) => labels.kind);
    assert.deepEqual(kinds, ['image', 'vps', 'vps']);
    assert.equal((await engine.backups.list(PROJECT, {})).length, 2);
    assert.equal((await volumes(world)).length, 1);
  });

  check('is restored under another name, with an identity of its own', async (world, engine) => {
    const id = await launched(world, engine);
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const [backup] = await engine.backups.list(PROJECT, {});
    assert.ok(backup);
    const same = engine.backups.restore(PROJECT, backup.id, { start: true });
    await assert.rejects(same, failsWith('already_exists'));
    await done(engine, engine.backups.restore(PROJECT, backup.id, { name: 'twin', start: true }));
    const [web, twin] = await Promise.all(['web', 'twin'].map((name) => engine.vps.info(PROJECT, name)));
    assert.ok(web && twin);
    assert.equal(twin.state, 'running');
    assert.notEqual(twin.mac, web.mac);
    assert.notEqual(twin.addresses[0], web.addresses[0]);
    assert.notEqual(twin.id, id);
  });

  check('of a VPS that is gone brings the same server back', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const before = await engine.vps.info(PROJECT, 'web');
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    const [backup] = await engine.backups.list(PROJECT, {});
    assert.ok(backup);
    await done(engine, engine.backups.restore(PROJECT, backup.id, { start: false }));
    const after = await engine.vps.info(PROJECT, 'web');
    assert.equal(after.state, 'stopped');
    assert.deepEqual(
      [after.addresses, after.mac, after.limits],
      [before.addresses, before.mac, before.limits],
    );
  });

  check('that fails leaves nothing, and says why', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    world.backups.failure = new MullionError('insufficient_disk', 'The repository is full.');
    const task = await ended(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.equal(task.error?.code, 'insufficient_disk');
    assert.equal((await volumes(world)).length, 1);
    assert.deepEqual(await engine.backups.list(PROJECT, {}), []);
  });

  check('waits for another one of the same VPS', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    const gate = Promise.withResolvers<void>();
    world.backups.gate = gate.promise;
    const tasks = await Promise.all([1, 2].map(() => engine.backups.create(PROJECT, { vps: 'web' })));
    gate.resolve();
    for (const task of tasks) await done(engine, task);
    assert.equal((await engine.backups.list(PROJECT, {})).length, 2);
    assert.equal((await volumes(world)).length, 1);
  });

  check('does not keep its VPS from anything meanwhile', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const gate = Promise.withResolvers<void>();
    world.backups.gate = gate.promise;
    const task = await engine.backups.create(PROJECT, { vps: 'web' });
    await eventually('it is copied', async () => (await volumes(world)).length === 2);
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: false }));
    gate.resolve();
    await done(engine, task);
    assert.equal((await engine.backups.list(PROJECT, {})).length, 2);
  });

  test('is deleted, and with the last one its image, once that is a day old', async () => {
    using world = new World();
    const clock = { now: new Date('2026-03-11T01:00:00Z') };
    world.backups.clock = () => clock.now;
    const engine = await world.open({ clock: () => clock.now });
    await launched(world, engine);
    await addRepo(engine);
    for (let count = 0; count < 3; count++) {
      await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    }
    const kinds = () => world.backups.saved.get('/srv/backups')?.map(({ labels }) => labels.kind);
    const [one, two, three] = await engine.backups.list(PROJECT, {});
    await done(engine, engine.backups.delete(PROJECT, one?.id ?? ''));
    await done(engine, engine.backups.delete(PROJECT, two?.id ?? ''));
    assert.deepEqual(kinds(), ['image', 'vps']);
    await done(engine, engine.backups.delete(PROJECT, three?.id ?? ''));
    assert.deepEqual(kinds(), ['image'], 'a backup that another host makes may need it');
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const [last] = await engine.backups.list(PROJECT, {});
    clock.now = new Date('2026-03-12T01:00:01Z');
    await done(engine, engine.backups.delete(PROJECT, last?.id ?? ''));
    assert.deepEqual(kinds(), []);
    await assert.rejects(engine.backups.delete(PROJECT, 'aaaaaaaa'), failsWith('not_found'));
    await engine.close();
  });

  check('is verified in a VPS of its own, which is gone afterwards', async (world, engine) => {
    await launched(world, engine);
    await addRepo(engine);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    const [backup] = await engine.backups.list(PROJECT, {});
    const admitted: string[] = [];
    const admit = world.network.admit.bind(world.network);
    world.network.admit = async (attachment) => {
      admitted.push(attachment.vps);
      await admit(attachment);
    };
    const task = await done(engine, engine.backups.verify(PROJECT, backup?.id ?? ''));
    assert.deepEqual(admitted, [], 'it boots without network');
    assert.equal(task.target, `verify-${backup?.id}`);
    assert.equal(world.disks.checked.length, 1);
    assert.deepEqual(
      (await engine.vps.list(PROJECT)).map(({ name }) => name),
      ['web'],
    );
    assert.equal(world.network.attached.size, 1);
  });
});

test('a restore that a dying daemon left half done is taken away by the next', async () => {
  using world = new World();
  const engine = await world.open();
  await launched(world, engine);
  await addRepo(engine);
  await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
  const [backup] = await engine.backups.list(PROJECT, {});
  const restore = world.backups.restore.bind(world.backups);
  world.backups.restore = () => new Promise(() => undefined);
  const task = await engine.backups.restore(PROJECT, backup?.id ?? '', { start: true });
  await eventually('its volume is there', async () => (await volumes(world)).length === 1);
  // What this daemon still would do never comes: the next one finds the store and the volumes as they are.
  world.backups.restore = restore;
  const next = await world.open();
  const last = await ended(next, Promise.resolve(task));
  assert.equal(last.error?.code, 'cancelled');
  assert.deepEqual(await next.vps.list(PROJECT), []);
  assert.deepEqual(await volumes(world), []);
  assert.deepEqual({ ...(await world.holdings()), volumes: [] }, NOTHING);
  await done(next, next.backups.restore(PROJECT, backup?.id ?? '', { start: true }));
  await next.close();
});

test('the copy that a killed backup left is taken away by the next daemon', async () => {
  using world = new World();
  const engine = await world.open();
  await launched(world, engine);
  await engine.close();
  await world.pool.createVolume('backup-0123456789abcdef', 1);
  const next = await world.open();
  assert.equal((await volumes(world)).length, 1);
  await next.close();
});

describe('a schedule', () => {
  const KEEP = { last: 2, daily: 0, weekly: 0, monthly: 0 };
  const setup = async (world: World) => {
    const clock = { now: new Date('2026-03-11T01:00:00Z') };
    world.backups.clock = () => clock.now;
    const change = {
      clock: () => clock.now,
      timings: { schedule: 5, close: 500, step: 2_000, question: 500 },
    };
    const engine = await world.open(change);
    await launched(world, engine);
    await addRepo(engine);
    await engine.backups.setSchedule(PROJECT, 'web', { at: 'daily 02:00', keep: KEEP, jitter: 0 });
    return { engine, clock, change };
  };
  const count = async (engine: Engine): Promise<number> => (await engine.backups.list(PROJECT, {})).length;

  test('makes a backup when its time has come, and keeps what its rules say', async () => {
    using world = new World();
    const { engine, clock } = await setup(world);
    await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
    assert.equal((await engine.backups.schedule(PROJECT, 'web')).nextAt, '2026-03-11T02:00:00.000Z');
    for (const day of [11, 12, 13, 14]) {
      clock.now = new Date(`2026-03-${day}T02:00:01Z`);
      const slot = `2026-03-${day + 1}T02:00:00.000Z`;
      await eventually(
        'it has run',
        async () => (await engine.backups.schedule(PROJECT, 'web')).nextAt === slot,
      );
    }
    const all = await engine.backups.list(PROJECT, {});
    assert.deepEqual(
      all.map(({ schedule, createdAt }) => [schedule, createdAt.slice(8, 10)]),
      [
        [false, '11'],
        [true, '13'],
        [true, '14'],
      ],
    );
    assert.equal((await engine.vps.info(PROJECT, 'web')).backup, 'ok');
    await engine.close();
  });

  test('makes up for what was missed while no daemon ran', async () => {
    using world = new World();
    const { engine, clock, change } = await setup(world);
    await engine.close();
    clock.now = new Date('2026-03-15T15:00:00Z');
    const next = await world.open(change);
    await eventually('it has run', async () => (await count(next)) === 1);
    await eventually('it is noted', async () => (await next.vps.info(PROJECT, 'web')).backup === 'ok');
    await next.close();
  });

  test('that fails shows in the list, in doctor and as an event, until it works again', async () => {
    using world = new World();
    const { engine, clock } = await setup(world);
    const stop = new AbortController();
    const events = engine.events.subscribe({ project: PROJECT }, stop.signal);
    const failed = (async () => {
      for await (const event of events) if (event.type === 'backup.failed') return event.target;
      return undefined;
    })();
    world.backups.failure = new MullionError('repository_unreachable', 'The disk is away.');
    clock.now = new Date('2026-03-11T02:00:01Z');
    assert.equal(await failed, 'web');
    assert.equal((await engine.vps.list(PROJECT))[0]?.backup, 'failed');
    const report = async () => (await engine.doctor()).find(({ name }) => name === 'backups');
    assert.equal((await report())?.state, 'warning');
    assert.match((await report())?.evidence.join() ?? '', /The disk is away/);
    clock.now = new Date('2026-03-12T02:00:01Z');
    await eventually('it works', async () => (await engine.vps.list(PROJECT))[0]?.backup === 'ok');
    assert.equal((await report())?.state, 'ok');
    stop.abort();
    await engine.close();
  });

  test('whose backup is cancelled while it waits goes on at its next time', async () => {
    using world = new World();
    const { engine, clock } = await setup(world);
    const gate = Promise.withResolvers<void>();
    world.backups.gate = gate.promise;
    const other = await engine.backups.create(PROJECT, { vps: 'web' });
    clock.now = new Date('2026-03-11T02:00:01Z');
    await eventually('it waits', async () => (await engine.tasks.list(PROJECT)).length === 3);
    const waiting = (await engine.tasks.list(PROJECT)).find(
      ({ id, kind, state }) => kind === 'backup.create' && state === 'running' && id !== other.id,
    );
    await engine.tasks.cancel(waiting?.id ?? '');
    await eventually('it failed', async () => (await engine.vps.list(PROJECT))[0]?.backup === 'failed');
    gate.resolve();
    await done(engine, other);
    clock.now = new Date('2026-03-12T02:00:01Z');
    await eventually('it works', async () => (await engine.vps.list(PROJECT))[0]?.backup === 'ok');
    await engine.close();
  });

  test('that a repository has keeps the repository, and goes with its VPS', async () => {
    using world = new World();
    const { engine } = await setup(world);
    await assert.rejects(engine.backups.removeRepository(PROJECT, 'nas'), failsWith('in_use', /web/));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    await eventually('it is gone', async () =>
      engine.backups.removeRepository(PROJECT, 'nas').then(
        () => true,
        () => false,
      ),
    );
    await engine.close();
  });
});
