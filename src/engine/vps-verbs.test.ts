import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  check,
  done,
  ended,
  FORCE,
  failsWith,
  fault,
  NOTHING,
  PROJECT,
  request,
  STOP,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import { ExecRequestSchema } from '../contract/streams.ts';
import type { Driver } from '../drivers/driver.ts';
import type { Engine } from './engine.ts';

describe('the verbs of a VPS', () => {
  check('stop, start, restart, pause and resume lead where they say', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const state = async () => (await engine.vps.info(PROJECT, 'web')).state;
    await done(engine, engine.vps.pause(PROJECT, 'web'));
    assert.equal(await state(), 'paused');
    const { usage } = await engine.vps.info(PROJECT, 'web');
    assert.equal(usage.memory, 4 * MIB, 'told without asking its guest');
    await done(engine, engine.vps.resume(PROJECT, 'web'));
    assert.equal(await state(), 'running');
    const before = (await engine.vps.info(PROJECT, 'web')).startedAt;
    await eventually('a clock tick', () => new Date().toISOString() > (before ?? ''));
    await done(engine, engine.vps.restart(PROJECT, 'web', STOP));
    assert.ok(((await engine.vps.info(PROJECT, 'web')).startedAt ?? '') > (before ?? ''));
    await done(engine, engine.vps.pause(PROJECT, 'web'));
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    assert.equal(await state(), 'stopped');
    assert.equal((await engine.vps.info(PROJECT, 'web')).startedAt, null);
    assert.deepEqual((await world.holdings()).attached, []);
    await done(engine, engine.vps.start(PROJECT, 'web'));
    await done(engine, engine.vps.stop(PROJECT, 'web', FORCE));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: false }));
    assert.deepEqual(await engine.vps.list(PROJECT), []);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('are refused in the wrong state, with the remedy', async (_world, engine) => {
    await assert.rejects(engine.vps.start(PROJECT, 'web'), failsWith('not_found', /mullion list/));
    await done(engine, engine.vps.launch(PROJECT, request()));
    await assert.rejects(engine.vps.start(PROJECT, 'web'), failsWith('wrong_state', /restart web/));
    await assert.rejects(engine.vps.resume(PROJECT, 'web'), failsWith('wrong_state', /it runs/));
    await assert.rejects(
      engine.vps.delete(PROJECT, 'web', { force: false }),
      failsWith('wrong_state', /--force/),
    );
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await assert.rejects(engine.vps.stop(PROJECT, 'web', STOP), failsWith('wrong_state', /it is stopped/));
    await assert.rejects(engine.vps.pause(PROJECT, 'web'), failsWith('wrong_state', /mullion start web/));
    await assert.rejects(
      engine.vps.exec(PROJECT, 'web', ExecRequestSchema.parse({ argv: ['true'] })),
      failsWith('wrong_state', /mullion start web/),
    );
  });

  check('that come while another is under way wait for their turn', async (_world, engine) => {
    const launch = await engine.vps.launch(PROJECT, request(fault('slow:20')));
    const stop = await engine.vps.stop(PROJECT, 'web', STOP);
    const start = await engine.vps.start(PROJECT, 'web');
    const pause = await engine.vps.pause(PROJECT, 'web');
    const second = await engine.vps.pause(PROJECT, 'web');
    for (const task of [launch, stop, start, pause]) await done(engine, task);
    assert.equal((await ended(engine, second)).error?.code, 'wrong_state');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'paused');
  });

  check('a forced deletion makes way for itself', async (world, engine) => {
    const launch = await engine.vps.launch(PROJECT, request(fault('slow:50')));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    assert.equal((await ended(engine, launch)).state, 'cancelled');
    await done(engine, engine.vps.launch(PROJECT, request(fault('shutdown-hangs'))));
    const stop = await engine.vps.stop(PROJECT, 'web', { timeout: 3600, force: false });
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    assert.equal((await ended(engine, stop)).state, 'cancelled');
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('a forced stop makes way through a shutdown, not through a launch', async (_world, engine) => {
    const launch = await engine.vps.launch(PROJECT, request(fault('shutdown-hangs,slow:20')));
    const stop = await engine.vps.stop(PROJECT, 'web', { timeout: 3600, force: false });
    const kill = await engine.vps.stop(PROJECT, 'web', FORCE);
    await done(engine, launch);
    assert.equal((await ended(engine, stop)).state, 'cancelled');
    await done(engine, kill);
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'stopped');
  });

  check('a guest that ignores its shutdown is killed after its time', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('shutdown-ignored'))));
    await done(engine, engine.vps.stop(PROJECT, 'web', { timeout: 0.05, force: false }));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'stopped');
    assert.deepEqual((await world.holdings()).machines, []);
  });

  check('a cancelled stop leaves the VPS running', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('shutdown-hangs'))));
    const stop = await engine.vps.stop(PROJECT, 'web', { timeout: 60, force: false });
    await engine.tasks.cancel(stop.id);
    assert.equal((await ended(engine, stop)).state, 'cancelled');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    await done(engine, engine.vps.stop(PROJECT, 'web', FORCE));
  });

  check(
    'a failed start of an old VPS leaves it in error with its data, and it can be started again',
    async (world, engine) => {
      await done(engine, engine.vps.launch(PROJECT, request({ start: false, ...fault('start-fails') })));
      const task = await ended(engine, engine.vps.start(PROJECT, 'web'));
      assert.equal(task.error?.code, 'start_failed');
      const vps = await engine.vps.info(PROJECT, 'web');
      assert.equal(vps.state, 'error');
      assert.match(vps.message, /told to fail: start/);
      const { machines, attached, volumes } = await world.holdings();
      assert.deepEqual({ machines, attached }, { machines: [], attached: [] });
      assert.equal(volumes.length, 1);
      await done(engine, engine.vps.set(PROJECT, 'web', { env: {} }));
      assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'error');
      await done(engine, engine.vps.start(PROJECT, 'web'));
      assert.equal((await engine.vps.info(PROJECT, 'web')).message, '');
    },
  );

  check('a failed pause leaves it running', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('pause-fails'))));
    assert.equal((await ended(engine, engine.vps.pause(PROJECT, 'web'))).state, 'failed');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
  });

  check('a guest that ends by itself is cleared up and says why', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('dies-after:30'))));
    await eventually('it is in error, and is to start again', async () => {
      const { state, message } = await engine.vps.info(PROJECT, 'web');
      return state === 'error' && /told to die\. It is started again at/.test(message);
    });
    const vps = await engine.vps.info(PROJECT, 'web');
    assert.deepEqual(vps.lastWords, ['fake: web is up']);
    await eventually('it is detached', () => world.network.attached.size === 0);
    await done(engine, engine.vps.start(PROJECT, 'web'));
  });

  check('a guest that never becomes ready ends in health unknown', async (world, _engine) => {
    const engine = await world.open({ timings: { health: 60, question: 20 } });
    await done(engine, engine.vps.launch(PROJECT, request(fault('never-ready'))));
    assert.equal((await engine.vps.info(PROJECT, 'web')).health, 'starting');
    await eventually('unknown', async () => (await engine.vps.info(PROJECT, 'web')).health === 'unknown');
    assert.equal(
      (await engine.vps.info(PROJECT, 'web')).message,
      'Its guest has not said that it is ready; look at it with: mullion console web',
    );
    await engine.close();
  });

  check('a command waits for the guest to answer, and runs once', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('ready-after:400'))));
    assert.equal((await engine.vps.info(PROJECT, 'web')).health, 'starting');
    const session = await engine.vps.exec(PROJECT, 'web', ExecRequestSchema.parse({ argv: ['true'] }));
    assert.equal(await session.exit, 0);
    assert.equal((await engine.vps.info(PROJECT, 'web')).health, 'ready');
  });

  check('a command that waits ends with who asks for it, and with the VPS', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('never-ready'))));
    const asked = ExecRequestSchema.parse({ argv: ['true'] });
    const gone = new AbortController();
    const left = engine.vps.exec(PROJECT, 'web', asked, gone.signal);
    const stopped = engine.vps.exec(PROJECT, 'web', asked);
    const listed = engine.files.list(PROJECT, 'web', '/');
    gone.abort(new MullionError('cancelled', 'nobody waits'));
    await assert.rejects(left, failsWith('cancelled'));
    await Promise.all([
      done(engine, engine.vps.stop(PROJECT, 'web', STOP)),
      assert.rejects(stopped, failsWith('wrong_state')),
      assert.rejects(listed, failsWith('wrong_state')),
    ]);
  });

  check('a command does not wait for ever', async (world, _engine) => {
    const engine = await world.open({ timings: { step: 150 } });
    await done(engine, engine.vps.launch(PROJECT, request(fault('ready-after:60000'))));
    await assert.rejects(
      engine.vps.exec(PROJECT, 'web', ExecRequestSchema.parse({ argv: ['true'] })),
      failsWith('guest_unresponsive'),
    );
    await engine.close();
  });
});

describe('set', () => {
  check('changes at once what the technique can, and says what waits', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ technique: 'full' })));
    const task = await done(
      engine,
      engine.vps.set(PROJECT, 'web', { memory: GIB, pids: 2048, disk: 5 * GIB, sshKeys: [] }),
    );
    assert.equal(task.warnings.length, 1);
    assert.match(task.warnings[0] ?? '', /disk, pids, sshKeys: .*mullion restart web/);
    const vps = await engine.vps.info(PROJECT, 'web');
    assert.deepEqual(vps.pendingRestart, ['disk', 'pids', 'sshKeys']);
    assert.equal(vps.limits.memory, GIB);
    await done(engine, engine.vps.restart(PROJECT, 'web', STOP));
    assert.deepEqual((await engine.vps.info(PROJECT, 'web')).pendingRestart, []);
    assert.ok((world.pool.limits.get(vps.id) ?? 0) > 5 * GIB);
  });

  check('changes everything at once where all is live', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const task = await done(
      engine,
      engine.vps.set(PROJECT, 'web', { cpus: 0.5, memory: GIB, pids: 99, disk: 9 * GIB }),
    );
    assert.deepEqual(task.warnings, []);
    const { id, pendingRestart } = await engine.vps.info(PROJECT, 'web');
    assert.deepEqual(pendingRestart, []);
    assert.equal(world.pool.limits.get(id), 9 * GIB);
  });

  check('grows a disk while it runs on a pool that limits nothing', async (world) => {
    world.pool.features.quota = false;
    const fake = world.driver();
    const grown: number[] = [];
    const driver: Driver = {
      ...fake,
      features: (technique) => ({ ...fake.features(technique), liveDisk: true }),
      limits: { setLimits: async (_machine, _handle, { disk }) => void grown.push(disk) },
    };
    const engine = await world.open({
      drivers: new Map([
        ['full', driver],
        ['os', driver],
      ]),
    });
    const grow = async (name: string) => {
      const task = await done(engine, engine.vps.set(PROJECT, name, { disk: 5 * GIB }));
      return [task.warnings.length, (await engine.vps.info(PROJECT, name)).pendingRestart] as const;
    };
    await done(engine, engine.vps.launch(PROJECT, request({ technique: 'full' })));
    const { id } = await engine.vps.info(PROJECT, 'web');
    const limit = world.pool.limits.get(id);
    assert.deepEqual(await grow('web'), [0, []]);
    assert.deepEqual(grown, [5 * GIB]);
    assert.equal(world.pool.limits.get(id), limit, 'its volume has none to change');
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'share', technique: 'os' })));
    assert.deepEqual(await grow('share'), [1, ['disk']], 'a share of the pool is that limit alone');
    await engine.close();
  });

  check('refuses what cannot be', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ technique: 'full' })));
    world.pool.used = 96 * GIB;
    const refused: [Parameters<Engine['vps']['set']>[2], ErrorCode, RegExp][] = [
      [{ disk: GIB }, 'invalid_request', /4K of it used/],
      [{ disk: 40 * GIB }, 'insufficient_disk', /4G free/],
      [{ cpus: 64 }, 'insufficient_cpus', /at most 4/],
      [{ memory: 64 * GIB }, 'insufficient_memory', /16G/],
    ];
    for (const [changes, code, pattern] of refused) {
      await assert.rejects(engine.vps.set(PROJECT, 'web', changes), failsWith(code, pattern));
    }
    assert.equal((await engine.vps.info(PROJECT, 'web')).disk, 4 * GIB);
  });

  check('shrinks a share of the pool while it runs, down to what is used', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    world.pool.used = 100 * GIB;
    await done(engine, engine.vps.set(PROJECT, 'web', { disk: GIB }));
    const { id, disk, pendingRestart } = await engine.vps.info(PROJECT, 'web');
    assert.deepEqual([disk, pendingRestart, world.pool.limits.get(id)], [GIB, [], GIB]);
    world.pool.charged = 2 * GIB;
    await done(engine, engine.vps.set(PROJECT, 'web', { disk: 3 * GIB })).catch(() => undefined);
    await assert.rejects(
      engine.vps.set(PROJECT, 'web', { disk: 512 * MIB }),
      failsWith('invalid_request', /2G of it used/),
    );
  });

  check('asks no guest that is paused', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.pause(PROJECT, 'web'));
    await assert.rejects(
      engine.vps.set(PROJECT, 'web', { pids: 77 }),
      failsWith('wrong_state', /paused, and takes pids/),
    );
    const { state, pids } = await engine.vps.info(PROJECT, 'web');
    assert.equal(state, 'paused');
    assert.notEqual(pids, 77);
    await done(engine, engine.vps.resume(PROJECT, 'web'));
    await done(engine, engine.vps.set(PROJECT, 'web', { memory: GIB }));
  });

  check('that fails is taken back', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('limits-fail'))));
    const task = await ended(engine, engine.vps.set(PROJECT, 'web', { memory: GIB, disk: 5 * GIB }));
    assert.equal(task.state, 'failed');
    const vps = await engine.vps.info(PROJECT, 'web');
    assert.equal(vps.state, 'running');
    assert.equal(vps.memory, 512 * MIB);
    assert.equal(world.pool.limits.get(vps.id), 4 * GIB);
  });
});

describe('forwards', () => {
  check('are unique on the host, apply at once, and come back at the next start', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'db' })));
    const { id } = await engine.vps.info(PROJECT, 'web');
    const forward = { protocol: 'tcp', hostPort: 8080, vpsPort: 80 } as const;
    await engine.forwards.add(PROJECT, 'web', forward);
    assert.deepEqual(world.network.attached.get(id)?.forwards, [8080]);
    await assert.rejects(engine.forwards.add(PROJECT, 'db', forward), failsWith('in_use', /to web/));
    await engine.forwards.add(PROJECT, 'db', { ...forward, protocol: 'udp' });
    await done(engine, engine.vps.restart(PROJECT, 'web', STOP));
    assert.deepEqual(world.network.attached.get(id)?.forwards, [8080]);
    assert.deepEqual(await engine.forwards.list(PROJECT, 'web'), [forward]);
    await engine.forwards.remove(PROJECT, 'web', 'tcp', 8080);
    assert.deepEqual(world.network.attached.get(id)?.forwards, []);
    await assert.rejects(engine.forwards.remove(PROJECT, 'web', 'tcp', 8080), failsWith('not_found'));
    await engine.forwards.add(PROJECT, 'db', forward);
    await done(engine, engine.vps.delete(PROJECT, 'db', { force: true }));
    await engine.forwards.add(PROJECT, 'web', forward);
  });
});
