import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { done, ended, fault, PROJECT, request, STOP, World } from '../../test/support/engine-world.ts';
import { Interruption } from '../../test/support/interruption.ts';
import {
  assertSane,
  killedAtAnyCall,
  mortal,
  type Scenario,
  settled,
} from '../../test/support/killed-works.ts';
import { eventually } from '../../test/support/scratch.ts';
import { vpsRunDirectory } from '../core/naming.ts';
import { readState } from '../drivers/fake/state.ts';
import { createEngine, type Engine } from './engine.ts';

const running = (engine: Engine) => engine.vps.launch(PROJECT, request()).then((task) => done(engine, task));
const stopped = (engine: Engine) =>
  engine.vps.launch(PROJECT, request({ start: false })).then((task) => done(engine, task));
const snapshotted = (engine: Engine) =>
  running(engine)
    .then(() => engine.snapshots.create(PROJECT, 'web', { name: 's1' }))
    .then((task) => done(engine, task));
const nothing = async (): Promise<void> => undefined;

const SCENARIOS: readonly Scenario[] = [
  {
    verb: 'launch',
    prepare: nothing,
    act: (e) => e.vps.launch(PROJECT, request()),
    allowed: ['running', 'gone'],
  },
  {
    verb: 'launch without a start',
    prepare: nothing,
    act: (e) => e.vps.launch(PROJECT, request({ start: false })),
    allowed: ['stopped', 'gone'],
  },
  {
    verb: 'launch that fails',
    prepare: nothing,
    act: (e) => e.vps.launch(PROJECT, request(fault('start-fails'))),
    allowed: ['gone'],
  },
  {
    verb: 'start',
    prepare: stopped,
    act: (e) => e.vps.start(PROJECT, 'web'),
    allowed: ['running', 'stopped'],
  },
  {
    verb: 'stop',
    prepare: running,
    act: (e) => e.vps.stop(PROJECT, 'web', STOP),
    allowed: ['running', 'stopped'],
  },
  {
    verb: 'restart',
    prepare: running,
    act: (e) => e.vps.restart(PROJECT, 'web', STOP),
    allowed: ['running'],
  },
  {
    verb: 'pause',
    prepare: running,
    act: (e) => e.vps.pause(PROJECT, 'web'),
    allowed: ['running', 'paused'],
  },
  {
    verb: 'delete',
    prepare: running,
    act: (e) => e.vps.delete(PROJECT, 'web', { force: true }),
    allowed: ['running', 'gone'],
  },
  {
    verb: 'snapshot',
    prepare: running,
    act: (e) => e.snapshots.create(PROJECT, 'web', { name: 's1' }),
    allowed: ['running'],
  },
  {
    verb: 'snapshot with memory',
    prepare: (e) => e.vps.launch(PROJECT, request({ technique: 'full' })).then((task) => done(e, task)),
    act: (e) => e.snapshots.create(PROJECT, 'web', { name: 's1', stateful: true }),
    allowed: ['running'],
  },
  {
    verb: 'restore',
    prepare: snapshotted,
    act: (e) => e.snapshots.restore(PROJECT, 'web', 's1'),
    allowed: ['running'],
  },
  {
    verb: 'deletion of a snapshot',
    prepare: snapshotted,
    act: (e) => e.snapshots.delete(PROJECT, 'web', 's1'),
    allowed: ['running'],
  },
  {
    verb: 'conversion',
    prepare: running,
    act: (e) => e.vps.convert(PROJECT, 'web', { technique: 'full' }),
    allowed: ['running'],
  },
  {
    verb: 'conversion of a stopped VPS',
    prepare: stopped,
    act: (e) => e.vps.convert(PROJECT, 'web', { technique: 'full' }),
    allowed: ['stopped'],
  },
  {
    verb: 'copy',
    prepare: running,
    act: (e) => e.vps.copy(PROJECT, 'web', { name: 'twin', start: true }),
    allowed: ['running'],
  },
  {
    verb: 'set',
    prepare: running,
    act: (e) => e.vps.set(PROJECT, 'web', { disk: 8 * 2 ** 30, cpus: 2 }),
    allowed: ['running'],
  },
];

describe('a daemon that is killed', () => {
  for (const scenario of SCENARIOS) killedAtAnyCall(scenario);

  test('while it recovers recovers again', async () => {
    for (let at = 1; at < 60; at++) {
      using world = new World();
      const first = await world.open();
      await done(first, first.vps.launch(PROJECT, request()));
      await first.vps.launch(PROJECT, request({ name: 'slow', ...fault('slow:30') }));
      await first.close();
      const death = new Interruption(at, 'after');
      death.arm();
      const second = createEngine(mortal(world, death));
      const opened = second.open().then(() => settled(second));
      opened.catch(() => undefined);
      const finished = await Promise.race([opened.then(() => true), death.reached.then(() => false)]);
      const third = await world.open();
      await settled(third);
      assert.equal((await third.vps.info(PROJECT, 'web')).state, 'running');
      await assertSane(world, third);
      await third.close();
      if (finished) return;
    }
    assert.fail('endless');
  });
});

describe('a daemon that starts', () => {
  test('adopts what runs and what is paused, with its uptime, and hears when it ends', async () => {
    using world = new World();
    const first = await world.open();
    await done(first, first.vps.launch(PROJECT, request()));
    await done(first, first.vps.launch(PROJECT, request({ name: 'db' })));
    await done(first, first.vps.launch(PROJECT, request({ name: 'old', start: false })));
    await done(first, first.vps.pause(PROJECT, 'db'));
    await first.forwards.add(PROJECT, 'web', { protocol: 'tcp', hostPort: 8080, vpsPort: 80 });
    const before = await first.vps.info(PROJECT, 'web');
    await first.close();
    const second = await world.open();
    const after = await second.vps.info(PROJECT, 'web');
    assert.equal(after.state, 'running');
    assert.equal(after.startedAt, before.startedAt);
    assert.equal((await second.vps.info(PROJECT, 'db')).state, 'paused');
    assert.equal((await second.vps.info(PROJECT, 'old')).state, 'stopped');
    assert.deepEqual(world.network.attached.get(after.id), { connected: true, forwards: [8080] });
    await assertSane(world, second);
    await done(second, second.vps.stop(PROJECT, 'web', STOP));
    await done(second, second.vps.resume(PROJECT, 'db'));
    await second.close();
  });

  test('brings to rest what has ended meanwhile, with the reason', async () => {
    using world = new World();
    const first = await world.open();
    const task = await done(first, first.vps.launch(PROJECT, request(fault('dies-after:40'))));
    const { id } = await first.vps.info(PROJECT, task.target);
    await first.close();
    const machine = { runDirectory: vpsRunDirectory(world.naming, id) };
    await eventually('it is dead', () => readState(machine) === undefined);
    const second = await world.open();
    await settled(second);
    const vps = await second.vps.info(PROJECT, 'web');
    assert.equal(vps.state, 'error');
    assert.match(vps.message, /while the daemon did not run\. It is started again at/);
    await assertSane(world, second);
    await second.close();
  });

  test('starts anew what ran when the host was restarted', async () => {
    using world = new World();
    const first = await world.open();
    await done(first, first.vps.launch(PROJECT, request()));
    await done(first, first.vps.launch(PROJECT, request({ name: 'old', start: false })));
    await first.close();
    world.bootId = 'boot-2';
    world.network.attached.clear();
    const second = await world.open();
    await settled(second);
    assert.equal((await second.vps.info(PROJECT, 'web')).state, 'running');
    assert.equal((await second.vps.info(PROJECT, 'old')).state, 'stopped');
    await assertSane(world, second);
    await second.close();
  });

  test('leaves a machine alone that it cannot find again; a start of the VPS replaces it', async () => {
    using world = new World();
    const first = await world.open();
    await done(first, first.vps.launch(PROJECT, request(fault('handle-lost'))));
    await first.close();
    const second = await world.open();
    await settled(second);
    const vps = await second.vps.info(PROJECT, 'web');
    assert.equal(vps.state, 'error');
    assert.match(vps.message, /told to fail: recover/);
    assert.deepEqual((await world.holdings()).machines, [vps.id]);
    assert.deepEqual((await world.holdings()).attached, [vps.id]);
    await done(second, second.vps.start(PROJECT, 'web'));
    await assertSane(world, second);
    await second.close();
  });

  test('removes what nobody owns, and nothing else', async () => {
    using world = new World();
    const first = await world.open();
    await done(first, first.vps.launch(PROJECT, request()));
    await done(first, first.vps.launch(PROJECT, request({ name: 'lost' })));
    const { id } = await first.vps.info(PROJECT, 'lost');
    await first.close();
    const lost = [
      `vps/${id}`,
      ...(await world.store.list('claim/')).filter(({ value }) => value === id).map(({ key }) => key),
    ];
    await world.store.transact(
      [],
      lost.map((key) => ({ type: 'delete', key })),
    );
    const second = await world.open();
    await assertSane(world, second);
    assert.equal((await second.vps.list(PROJECT)).length, 1);
    assert.deepEqual((await world.holdings()).folders.includes(id), false);
    await second.close();
  });

  test('goes on with a shutdown that an earlier one was asked for, and did not wait for', async () => {
    using world = new World();
    const first = await world.open({ timings: { close: 60_000 } });
    await done(first, first.vps.launch(PROJECT, request(fault('shutdown-hangs'))));
    const stop = await first.vps.stop(PROJECT, 'web', { timeout: 3600, force: false });
    await first.close();
    const second = await world.open();
    assert.equal((await second.tasks.get(stop.id)).state, 'running');
    await done(second, second.vps.stop(PROJECT, 'web', { timeout: 0, force: true }));
    assert.equal((await ended(second, stop)).state, 'cancelled');
    await assertSane(world, second);
    await second.close();
  });

  test('with a new store keeps the volumes that it finds', async () => {
    using world = new World();
    await world.pool.createVolume('0123456789ab', 1);
    const engine = await world.open();
    assert.deepEqual(await world.pool.listVolumes(), ['0123456789ab']);
    await engine.close();
  });

  test('ends builds that an earlier one began, and says that they resume', async () => {
    using world = new World();
    const first = await world.open();
    const death = new Interruption(1_000, 'before');
    const doomed = createEngine(mortal(world, death));
    await first.close();
    await doomed.open();
    const task = await doomed.images.build(PROJECT, { name: 'endless', suite: 'bookworm', include: [] });
    const second = await world.open();
    const after = await second.tasks.get(task.id);
    assert.equal(after.state, 'cancelled');
    assert.match(after.error?.remedy ?? '', /resumes/);
    await second.close();
    await doomed.close();
  });

  test('refuses a damaged record instead of guessing', async () => {
    using world = new World();
    await world.store.transact([], [{ type: 'put', key: 'vps/x', value: { name: 'x' } }]);
    await assert.rejects(world.open(), /record vps\/x is damaged/);
  });
});
