import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { done, ended, request, World } from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { type ErrorCode, MullionError } from '../contract/errors.ts';
import { BuildImageRequestSchema } from '../contract/resources.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import { ExecRequestSchema } from '../contract/streams.ts';
import type { Event } from '../contract/tasks.ts';
import type { Engine } from './engine.ts';

const P = 'default';
const STOP = { timeout: 1, force: false };
const FORCE = { timeout: 1, force: true };
const fault = (text: string) => ({ env: { MULLION_FAKE_FAULT: text } });
const failsWith =
  (code: ErrorCode, pattern = /./) =>
  (error: unknown): boolean =>
    error instanceof MullionError && error.code === code && pattern.test(`${error.message} ${error.remedy}`);

async function inWorld(body: (world: World, engine: Engine) => Promise<void>): Promise<void> {
  using world = new World();
  const engine = await world.open();
  try {
    await body(world, engine);
  } finally {
    await engine.close();
  }
}
const check = (title: string, body: (world: World, engine: Engine) => Promise<void>): void => {
  test(title, () => inWorld(body));
};
const NOTHING = { machines: [], volumes: [], attached: [], folders: [] };

describe('a launch', () => {
  check(
    'ends in a running VPS with everything it needs, and says why its technique',
    async (world, engine) => {
      const task = await done(engine, engine.vps.launch(P, request()));
      assert.equal(task.kind, 'vps.launch');
      assert.deepEqual(
        task.progress.children.map((child) => [child.name.split(',')[0], child.state]),
        [
          ['create the volume', 'done'],
          ['fill the volume from the image', 'done'],
          ['reserve the name and addresses on the network', 'done'],
          ['prepare the machine', 'done'],
          ['connect it to the network', 'done'],
          ['start it', 'done'],
        ],
      );
      const [vps] = await engine.vps.list(P);
      assert.equal(vps?.state, 'running');
      assert.equal(vps?.technique, 'os');
      assert.equal(vps?.node, 'node-1');
      assert.equal(vps?.addresses[0], '10.77.0.2');
      assert.match(vps?.startedAt ?? '', /^2\d{3}-/);
      const info = await engine.vps.info(P, 'web');
      assert.match(info.reason, /OS-level virtualization/);
      assert.equal(info.usage.disk, 4096);
      assert.equal(info.usage.networkOut, 2);
      assert.equal(world.pool.limits.get(info.id), 4 * GIB);
      await eventually('it is ready', async () => (await engine.vps.info(P, 'web')).health === 'ready');
    },
  );

  check('without a start ends in a stopped VPS', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request({ start: false })));
    assert.equal((await engine.vps.info(P, 'web')).state, 'stopped');
    assert.deepEqual((await world.holdings()).machines, []);
    await done(engine, engine.vps.start(P, 'web'));
    assert.equal((await engine.vps.info(P, 'web')).state, 'running');
  });

  check('makes up a name when there is none', async (_world, engine) => {
    const { image, name: _name, ...rest } = request();
    const task = await done(engine, engine.vps.launch(P, { image, ...rest }));
    assert.match(task.target, /^[a-z]+-[a-z]+$/);
    assert.equal((await engine.vps.info(P, task.target)).state, 'running');
  });

  check('of a name that two want at once is won by one', async (world, engine) => {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => engine.vps.launch(P, request())));
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected')
        assert.ok(failsWith('already_exists', /mullion delete web/)(outcome.reason));
      else await done(engine, outcome.value);
    }
    assert.equal((await world.holdings()).volumes.length, 1);
  });

  check('of forty at once gives each its own slot, address and volume', async (world, engine) => {
    const names = Array.from({ length: 40 }, (_, index) => `v${index}`);
    const tasks = await Promise.all(names.map((name) => engine.vps.launch(P, request({ name }))));
    await Promise.all(tasks.map((task) => done(engine, task)));
    const all = await engine.vps.list(P);
    for (const property of ['id', 'mac'] as const)
      assert.equal(new Set(all.map((vps) => vps[property])).size, 40);
    assert.equal(new Set(all.flatMap((vps) => vps.addresses)).size, 80);
    assert.equal(world.network.attached.size, 40);
    await Promise.all(
      names.map(async (name) => done(engine, await engine.vps.delete(P, name, { force: true }))),
    );
    assert.deepEqual(await world.holdings(), NOTHING);
    assert.deepEqual(await world.store.list('claim/name/'), []);
    assert.deepEqual(await world.store.list('claim/slot/'), []);
    assert.deepEqual(await world.store.list('vps/'), []);
  });

  for (const step of ['populate', 'prepare', 'start']) {
    check(`that fails at the step ${step} leaves nothing and says what happened`, async (world, engine) => {
      const task = await ended(engine, engine.vps.launch(P, request(fault(`${step}-fails`))));
      assert.equal(task.state, 'failed');
      assert.equal(task.error?.code, 'start_failed');
      assert.match(task.error?.message ?? '', new RegExp(`told to fail: ${step}`));
      if (step === 'start') assert.deepEqual(task.error?.details.log, ['fake: kernel panic, as wanted']);
      assert.deepEqual(await engine.vps.list(P), []);
      assert.deepEqual(await world.holdings(), NOTHING);
      assert.deepEqual(await world.store.list('claim/slot/'), []);
      await done(engine, engine.vps.launch(P, request()));
    });
  }

  check('whose network fails leaves nothing', async (world, engine) => {
    world.network.failConnect = true;
    const task = await ended(engine, engine.vps.launch(P, request()));
    assert.match(task.error?.message ?? '', /no bridge today/);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check(
    'that cannot be cleared up stays as a VPS in error, which can be deleted later',
    async (world, engine) => {
      const task = await ended(engine, engine.vps.launch(P, request(fault('start-fails,remove-fails'))));
      assert.equal(task.state, 'failed');
      const vps = await engine.vps.info(P, 'web');
      assert.equal(vps.state, 'error');
      assert.match(vps.message, /told to fail: start/);
      const again = await ended(engine, engine.vps.delete(P, 'web', { force: false }));
      assert.equal(again.state, 'failed');
      await done(engine, engine.vps.set(P, 'web', { env: {} }));
      await done(engine, engine.vps.delete(P, 'web', { force: false }));
      assert.deepEqual(await world.holdings(), NOTHING);
    },
  );

  check('that is cancelled leaves nothing', async (world, engine) => {
    const task = await engine.vps.launch(P, request(fault('slow:50')));
    await engine.tasks.cancel(task.id);
    assert.equal((await ended(engine, task)).state, 'cancelled');
    assert.deepEqual(await engine.vps.list(P), []);
    assert.deepEqual(await world.holdings(), NOTHING);
    await assert.rejects(engine.tasks.cancel(task.id), failsWith('wrong_state'));
  });

  check('is refused before anything is touched', async (world, engine) => {
    world.images.add('disk-only', P, ['disk']);
    world.images.add('root-only', P, ['rootfs']);
    const refused: [Parameters<typeof request>[0], ErrorCode, RegExp][] = [
      [{ image: 'debian/13' }, 'not_found', /mullion image build debian\/13/],
      [{ network: 'dmz' }, 'not_found', /mullion network create dmz/],
      [{ technique: 'kernel' }, 'technique_unavailable', /no driver for kernel-level/],
      [{ technique: 'os', image: 'disk-only' }, 'image_unfit', /lacks rootfs.*full/],
      [{ technique: 'full', image: 'root-only' }, 'image_unfit', /lacks disk.*os/],
      [{ cpus: 5 }, 'insufficient_cpus', /at most 4/],
      [{ technique: 'full', cpus: 0.5 }, 'not_supported', /whole processors/],
      [{ memory: 17 * GIB }, 'insufficient_memory', /17G/],
      [{ technique: 'full', memory: 16 * GIB }, 'insufficient_memory', /promised/],
      [{ disk: 101 * GIB }, 'insufficient_disk', /100G free/],
      [{ technique: 'full', disk: 512 * MIB }, 'invalid_request', /--disk 1G/],
    ];
    for (const [changes, code, pattern] of refused) {
      await assert.rejects(engine.vps.launch(P, request(changes)), failsWith(code, pattern), String(pattern));
      await assert.rejects(engine.vps.plan(P, request(changes)), failsWith(code, pattern));
    }
    await assert.rejects(
      engine.vps.launch('nobody', request()),
      failsWith('not_found', /project create nobody/),
    );
    assert.deepEqual(await engine.vps.list(P), []);
    assert.deepEqual(await engine.tasks.list(P), []);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('with a kernel of its own counts the memory that others were promised', async (world, engine) => {
    const big = { technique: 'full', memory: 10 * GIB } as const;
    await done(engine, engine.vps.launch(P, request({ name: 'one', ...big })));
    await assert.rejects(
      engine.vps.launch(P, request({ name: 'two', ...big })),
      failsWith('insufficient_memory'),
    );
    await done(engine, engine.vps.launch(P, request({ name: 'two', ...big, start: false, memory: GIB })));
    world.memoryAvailable = 512 * MIB;
    await assert.rejects(
      engine.vps.start(P, 'two'),
      failsWith('insufficient_memory', /free on the host now/),
    );
  });

  check('can be planned without doing it', async (world, engine) => {
    const plan = await engine.vps.plan(P, request());
    assert.deepEqual(
      plan.steps.map(({ action }) => action),
      ['createVolume', 'populate', 'admit', 'prepare', 'connect', 'start'],
    );
    assert.equal(plan.technique, 'os');
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('falls back to what the image fits, and says so', async (world, engine) => {
    world.images.add('disk-only', P, ['disk']);
    await done(engine, engine.vps.launch(P, request({ image: 'disk-only' })));
    const info = await engine.vps.info(P, 'web');
    assert.equal(info.technique, 'full');
    assert.match(info.reason, /os does not fit the image/);
    assert.ok((world.pool.limits.get(info.id) ?? 0) > info.disk);
  });
});

describe('the verbs of a VPS', () => {
  check('stop, start, restart, pause and resume lead where they say', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request()));
    const state = async () => (await engine.vps.info(P, 'web')).state;
    await done(engine, engine.vps.pause(P, 'web'));
    assert.equal(await state(), 'paused');
    await done(engine, engine.vps.resume(P, 'web'));
    assert.equal(await state(), 'running');
    const before = (await engine.vps.info(P, 'web')).startedAt;
    await eventually('a clock tick', () => new Date().toISOString() > (before ?? ''));
    await done(engine, engine.vps.restart(P, 'web', STOP));
    assert.ok(((await engine.vps.info(P, 'web')).startedAt ?? '') > (before ?? ''));
    await done(engine, engine.vps.pause(P, 'web'));
    await done(engine, engine.vps.stop(P, 'web', STOP));
    assert.equal(await state(), 'stopped');
    assert.equal((await engine.vps.info(P, 'web')).startedAt, null);
    assert.deepEqual((await world.holdings()).attached, []);
    await done(engine, engine.vps.start(P, 'web'));
    await done(engine, engine.vps.stop(P, 'web', FORCE));
    await done(engine, engine.vps.delete(P, 'web', { force: false }));
    assert.deepEqual(await engine.vps.list(P), []);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('are refused in the wrong state, with the remedy', async (_world, engine) => {
    await assert.rejects(engine.vps.start(P, 'web'), failsWith('not_found', /mullion list/));
    await done(engine, engine.vps.launch(P, request()));
    await assert.rejects(engine.vps.start(P, 'web'), failsWith('wrong_state', /restart web/));
    await assert.rejects(engine.vps.resume(P, 'web'), failsWith('wrong_state', /it runs/));
    await assert.rejects(engine.vps.delete(P, 'web', { force: false }), failsWith('wrong_state', /--force/));
    await done(engine, engine.vps.stop(P, 'web', STOP));
    await assert.rejects(engine.vps.stop(P, 'web', STOP), failsWith('wrong_state', /it is stopped/));
    await assert.rejects(engine.vps.pause(P, 'web'), failsWith('wrong_state', /mullion start web/));
    await assert.rejects(
      engine.vps.exec(P, 'web', ExecRequestSchema.parse({ argv: ['true'] })),
      failsWith('wrong_state', /mullion start web/),
    );
  });

  check('that come while another is under way wait for their turn', async (_world, engine) => {
    const launch = await engine.vps.launch(P, request(fault('slow:20')));
    const stop = await engine.vps.stop(P, 'web', STOP);
    const start = await engine.vps.start(P, 'web');
    const pause = await engine.vps.pause(P, 'web');
    const second = await engine.vps.pause(P, 'web');
    for (const task of [launch, stop, start, pause]) await done(engine, task);
    assert.equal((await ended(engine, second)).error?.code, 'wrong_state');
    assert.equal((await engine.vps.info(P, 'web')).state, 'paused');
  });

  check('a forced deletion makes way for itself', async (world, engine) => {
    const launch = await engine.vps.launch(P, request(fault('slow:50')));
    await done(engine, engine.vps.delete(P, 'web', { force: true }));
    assert.equal((await ended(engine, launch)).state, 'cancelled');
    await done(engine, engine.vps.launch(P, request(fault('shutdown-hangs'))));
    const stop = await engine.vps.stop(P, 'web', { timeout: 3600, force: false });
    await done(engine, engine.vps.delete(P, 'web', { force: true }));
    assert.equal((await ended(engine, stop)).state, 'cancelled');
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('a guest that ignores its shutdown is killed after its time', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request(fault('shutdown-ignored'))));
    await done(engine, engine.vps.stop(P, 'web', { timeout: 0.05, force: false }));
    assert.equal((await engine.vps.info(P, 'web')).state, 'stopped');
    assert.deepEqual((await world.holdings()).machines, []);
  });

  check('a cancelled stop leaves the VPS running', async (_world, engine) => {
    await done(engine, engine.vps.launch(P, request(fault('shutdown-hangs'))));
    const stop = await engine.vps.stop(P, 'web', { timeout: 60, force: false });
    await engine.tasks.cancel(stop.id);
    assert.equal((await ended(engine, stop)).state, 'cancelled');
    assert.equal((await engine.vps.info(P, 'web')).state, 'running');
    await done(engine, engine.vps.stop(P, 'web', FORCE));
  });

  check(
    'a failed start of an old VPS leaves it in error with its data, and it can be started again',
    async (world, engine) => {
      await done(engine, engine.vps.launch(P, request({ start: false, ...fault('start-fails') })));
      const task = await ended(engine, engine.vps.start(P, 'web'));
      assert.equal(task.error?.code, 'start_failed');
      const vps = await engine.vps.info(P, 'web');
      assert.equal(vps.state, 'error');
      assert.match(vps.message, /told to fail: start/);
      const { machines, attached, volumes } = await world.holdings();
      assert.deepEqual({ machines, attached }, { machines: [], attached: [] });
      assert.equal(volumes.length, 1);
      await done(engine, engine.vps.set(P, 'web', { env: {} }));
      assert.equal((await engine.vps.info(P, 'web')).state, 'error');
      await done(engine, engine.vps.start(P, 'web'));
      assert.equal((await engine.vps.info(P, 'web')).message, '');
    },
  );

  check('a failed pause leaves it running', async (_world, engine) => {
    await done(engine, engine.vps.launch(P, request(fault('pause-fails'))));
    assert.equal((await ended(engine, engine.vps.pause(P, 'web'))).state, 'failed');
    assert.equal((await engine.vps.info(P, 'web')).state, 'running');
    await done(engine, engine.vps.stop(P, 'web', STOP));
  });

  check('a guest that ends by itself is cleared up and says why', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request(fault('dies-after:30'))));
    await eventually('it is stopped', async () => (await engine.vps.info(P, 'web')).state === 'stopped');
    assert.match((await engine.vps.info(P, 'web')).message, /told to die/);
    await eventually('it is detached', () => world.network.attached.size === 0);
    await done(engine, engine.vps.start(P, 'web'));
  });

  check('a guest that never becomes ready ends in health unknown', async (world, _engine) => {
    const engine = await world.open({ timings: { health: 60, question: 20 } });
    await done(engine, engine.vps.launch(P, request(fault('never-ready'))));
    assert.equal((await engine.vps.info(P, 'web')).health, 'starting');
    await eventually('unknown', async () => (await engine.vps.info(P, 'web')).health === 'unknown');
    await engine.close();
  });
});

describe('set', () => {
  check('changes at once what the technique can, and says what waits', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request({ technique: 'full' })));
    const task = await done(
      engine,
      engine.vps.set(P, 'web', { memory: GIB, pids: 2048, disk: 5 * GIB, sshKeys: [] }),
    );
    assert.equal(task.warnings.length, 1);
    assert.match(task.warnings[0] ?? '', /disk, pids, sshKeys: .*mullion restart web/);
    const vps = await engine.vps.info(P, 'web');
    assert.deepEqual(vps.pendingRestart, ['disk', 'pids', 'sshKeys']);
    assert.equal(vps.limits.memory, GIB);
    await done(engine, engine.vps.restart(P, 'web', STOP));
    assert.deepEqual((await engine.vps.info(P, 'web')).pendingRestart, []);
    assert.ok((world.pool.limits.get(vps.id) ?? 0) > 5 * GIB);
  });

  check('changes everything at once where all is live', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request()));
    const task = await done(
      engine,
      engine.vps.set(P, 'web', { cpus: 0.5, memory: GIB, pids: 99, disk: 9 * GIB }),
    );
    assert.deepEqual(task.warnings, []);
    const { id, pendingRestart } = await engine.vps.info(P, 'web');
    assert.deepEqual(pendingRestart, []);
    assert.equal(world.pool.limits.get(id), 9 * GIB);
  });

  check('refuses what cannot be', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request()));
    world.pool.used = 96 * GIB;
    const refused: [Parameters<Engine['vps']['set']>[2], ErrorCode, RegExp][] = [
      [{ disk: GIB }, 'invalid_request', /4K of it used/],
      [{ disk: 40 * GIB }, 'insufficient_disk', /4G free/],
      [{ cpus: 64 }, 'insufficient_cpus', /at most 4/],
      [{ memory: 64 * GIB }, 'insufficient_memory', /16G/],
    ];
    for (const [changes, code, pattern] of refused) {
      await assert.rejects(engine.vps.set(P, 'web', changes), failsWith(code, pattern));
    }
    assert.equal((await engine.vps.info(P, 'web')).disk, 4 * GIB);
  });

  check('that fails is taken back', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request(fault('limits-fail'))));
    const task = await ended(engine, engine.vps.set(P, 'web', { memory: GIB, disk: 5 * GIB }));
    assert.equal(task.state, 'failed');
    const vps = await engine.vps.info(P, 'web');
    assert.equal(vps.state, 'running');
    assert.equal(vps.memory, 512 * MIB);
    assert.equal(world.pool.limits.get(vps.id), 4 * GIB);
  });
});

describe('forwards', () => {
  check('are unique on the host, apply at once, and come back at the next start', async (world, engine) => {
    await done(engine, engine.vps.launch(P, request()));
    await done(engine, engine.vps.launch(P, request({ name: 'db' })));
    const { id } = await engine.vps.info(P, 'web');
    const forward = { protocol: 'tcp', hostPort: 8080, vpsPort: 80 } as const;
    await engine.forwards.add(P, 'web', forward);
    assert.deepEqual(world.network.attached.get(id)?.forwards, [8080]);
    await assert.rejects(engine.forwards.add(P, 'db', forward), failsWith('in_use', /to web/));
    await engine.forwards.add(P, 'db', { ...forward, protocol: 'udp' });
    await done(engine, engine.vps.restart(P, 'web', STOP));
    assert.deepEqual(world.network.attached.get(id)?.forwards, [8080]);
    assert.deepEqual(await engine.forwards.list(P, 'web'), [forward]);
    await engine.forwards.remove(P, 'web', 'tcp', 8080);
    assert.deepEqual(world.network.attached.get(id)?.forwards, []);
    await assert.rejects(engine.forwards.remove(P, 'web', 'tcp', 8080), failsWith('not_found'));
    await engine.forwards.add(P, 'db', forward);
    await done(engine, engine.vps.delete(P, 'db', { force: true }));
    await engine.forwards.add(P, 'web', forward);
  });
});

describe('projects and networks', () => {
  check('there is always the project and network default', async (_world, engine) => {
    assert.deepEqual(
      (await engine.projects.list()).map(({ name, networks }) => [name, networks]),
      [['default', 1]],
    );
    const [network] = await engine.networks.list(P);
    assert.equal(network?.ipv4, '10.77.0.1/24');
    await assert.rejects(engine.projects.delete(P), failsWith('in_use'));
  });

  check(
    'a name belongs to its project, and each project has a network of its own',
    async (_world, engine) => {
      await engine.projects.create({ name: 'shop', description: '' });
      await assert.rejects(
        engine.projects.create({ name: 'shop', description: '' }),
        failsWith('already_exists'),
      );
      await done(engine, engine.vps.launch(P, request()));
      await done(engine, engine.vps.launch('shop', request()));
      const [one, two] = [await engine.vps.info(P, 'web'), await engine.vps.info('shop', 'web')];
      assert.notEqual(one.addresses[0]?.split('.')[2], two.addresses[0]?.split('.')[2]);
      assert.equal((await engine.vps.list('shop')).length, 1);
      await assert.rejects(engine.networks.info('shop', 'dmz'), failsWith('not_found'));
      await engine.networks.create(P, { name: 'dmz' });
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
    const dmz = await engine.networks.create(P, { name: 'dmz', ipv4: '10.90.0.0/24' });
    assert.equal(dmz.ipv4, '10.90.0.1/24');
    await assert.rejects(engine.networks.create(P, { name: 'dmz' }), failsWith('already_exists'));
    await assert.rejects(
      engine.networks.create(P, { name: 'lan', ipv4: '10.90.0.0/16' }),
      failsWith('in_use'),
    );
    const made = await Promise.all(['a', 'b', 'c'].map((name) => engine.networks.create(P, { name })));
    assert.equal(new Set(made.map(({ bridge }) => bridge)).size, 3);
    await done(engine, engine.vps.launch(P, request({ network: 'dmz' })));
    await assert.rejects(engine.networks.delete(P, 'dmz'), failsWith('in_use', /web/));
    await done(engine, engine.vps.delete(P, 'web', { force: true }));
    await engine.networks.delete(P, 'dmz');
    assert.ok(!world.network.networks.has('default/dmz'));
  });
});

describe('images and pools', () => {
  const build = (name: string) => BuildImageRequestSchema.parse({ name, suite: 'bookworm' });

  check('an image is built, shared, used and deleted when unused', async (_world, engine) => {
    await engine.projects.create({ name: 'shop', description: '' });
    const task = await done(engine, engine.images.build('shop', build('own')));
    assert.equal(task.progress.children[0]?.name, 'download');
    assert.deepEqual(
      (await engine.images.list('shop')).map(({ name }) => name),
      ['debian/12', 'own'],
    );
    await assert.rejects(engine.images.info(P, 'own'), failsWith('not_found'));
    await assert.rejects(engine.images.delete('shop', 'debian/12'), failsWith('forbidden'));
    await done(engine, engine.vps.launch('shop', request({ image: 'own' })));
    assert.equal((await engine.images.info('shop', 'own')).usedBy, 1);
    await assert.rejects(engine.images.delete('shop', 'own'), failsWith('in_use', /web/));
    await done(engine, engine.vps.delete('shop', 'web', { force: true }));
    await done(engine, engine.images.delete('shop', 'own'));
    await assert.rejects(engine.images.info('shop', 'own'), failsWith('not_found'));
  });

  check('a build can be cancelled', async (_world, engine) => {
    const task = await engine.images.build(P, build('endless'));
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
      for await (const event of engine.events.subscribe({ project: P }, controller.signal)) seen.push(event);
    })();
    const task = await done(engine, engine.vps.launch(P, request()));
    await done(engine, engine.vps.stop(P, 'web', STOP));
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
    const task = await engine.vps.launch(P, request(fault('slow:100')));
    assert.equal((await engine.tasks.wait(task.id, 0.02)).state, 'running');
    assert.equal((await engine.tasks.wait(task.id, 10)).state, 'done');
    assert.equal((await engine.tasks.list(P))[0]?.id, task.id);
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
    await done(engine, engine.vps.launch(P, request()));
    const session = await engine.vps.exec(
      P,
      'web',
      ExecRequestSchema.parse({ argv: ['sh', '-c', 'exit 3'] }),
    );
    session.stdout.resume();
    session.stderr?.resume();
    assert.equal(await session.exit, 3);
    const { Readable } = await import('node:stream');
    await engine.files.push(P, 'web', '/root/x', Readable.from(['hello']), 0o600);
    assert.equal(String(await (await engine.files.pull(P, 'web', '/root/x')).toArray()), 'hello');
    assert.deepEqual(
      (await engine.files.list(P, 'web', '/root')).map(({ name }) => name),
      ['x'],
    );
    const logs = await engine.vps.logs(P, 'web', { follow: false, signal: new AbortController().signal });
    assert.match(String(await logs.toArray()), /web is up/);
    (await engine.vps.console(P, 'web')).destroy();
  });
});
