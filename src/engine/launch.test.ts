import assert from 'node:assert/strict';
import { describe } from 'node:test';
import {
  check,
  done,
  ended,
  failsWith,
  fault,
  NOTHING,
  PROJECT,
  request,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import type { ErrorCode } from '../contract/errors.ts';
import { GIB, MIB } from '../contract/sizes.ts';

describe('a launch', () => {
  check(
    'ends in a running VPS with everything it needs, and says why its technique',
    async (world, engine) => {
      const task = await done(engine, engine.vps.launch(PROJECT, request()));
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
      const [vps] = await engine.vps.list(PROJECT);
      assert.equal(vps?.state, 'running');
      assert.equal(vps?.technique, 'os');
      assert.equal(vps?.node, 'node-1');
      assert.equal(vps?.addresses[0], '10.77.0.2');
      assert.match(vps?.startedAt ?? '', /^2\d{3}-/);
      const info = await engine.vps.info(PROJECT, 'web');
      assert.match(info.reason, /OS-level virtualization/);
      assert.equal(info.usage.disk, 4096);
      assert.equal(info.usage.networkOut, 2);
      assert.equal(world.pool.limits.get(info.id), 4 * GIB);
      await eventually('it is ready', async () => (await engine.vps.info(PROJECT, 'web')).health === 'ready');
    },
  );

  check('without a start ends in a stopped VPS', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ start: false })));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'stopped');
    assert.deepEqual((await world.holdings()).machines, []);
    await done(engine, engine.vps.start(PROJECT, 'web'));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
  });

  check('makes up a name when there is none', async (_world, engine) => {
    const { image, name: _name, ...rest } = request();
    const task = await done(engine, engine.vps.launch(PROJECT, { image, ...rest }));
    assert.match(task.target, /^[a-z]+-[a-z]+$/);
    assert.equal((await engine.vps.info(PROJECT, task.target)).state, 'running');
  });

  check('of a name that two want at once is won by one', async (world, engine) => {
    const outcomes = await Promise.allSettled([1, 2, 3].map(() => engine.vps.launch(PROJECT, request())));
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
    const tasks = await Promise.all(names.map((name) => engine.vps.launch(PROJECT, request({ name }))));
    await Promise.all(tasks.map((task) => done(engine, task)));
    const all = await engine.vps.list(PROJECT);
    for (const property of ['id', 'mac'] as const)
      assert.equal(new Set(all.map((vps) => vps[property])).size, 40);
    assert.equal(new Set(all.flatMap((vps) => vps.addresses)).size, 80);
    assert.equal(world.network.attached.size, 40);
    await Promise.all(
      names.map(async (name) => done(engine, await engine.vps.delete(PROJECT, name, { force: true }))),
    );
    assert.deepEqual(await world.holdings(), NOTHING);
    assert.deepEqual(await world.store.list('claim/name/'), []);
    assert.deepEqual(await world.store.list('claim/slot/'), []);
    assert.deepEqual(await world.store.list('vps/'), []);
  });

  for (const step of ['populate', 'prepare', 'start']) {
    check(`that fails at the step ${step} leaves nothing and says what happened`, async (world, engine) => {
      const task = await ended(engine, engine.vps.launch(PROJECT, request(fault(`${step}-fails`))));
      assert.equal(task.state, 'failed');
      assert.equal(task.error?.code, 'start_failed');
      assert.match(task.error?.message ?? '', new RegExp(`told to fail: ${step}`));
      if (step === 'start') assert.deepEqual(task.error?.details.log, ['fake: kernel panic, as wanted']);
      assert.deepEqual(await engine.vps.list(PROJECT), []);
      assert.deepEqual(await world.holdings(), NOTHING);
      assert.deepEqual(await world.store.list('claim/slot/'), []);
      await done(engine, engine.vps.launch(PROJECT, request()));
    });
  }

  check('whose network fails leaves nothing', async (world, engine) => {
    world.network.failConnect = true;
    const task = await ended(engine, engine.vps.launch(PROJECT, request()));
    assert.match(task.error?.message ?? '', /no bridge today/);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check(
    'that cannot be cleared up stays as a VPS in error, which can be deleted later',
    async (world, engine) => {
      const task = await ended(
        engine,
        engine.vps.launch(PROJECT, request(fault('start-fails,remove-fails'))),
      );
      assert.equal(task.state, 'failed');
      const vps = await engine.vps.info(PROJECT, 'web');
      assert.equal(vps.state, 'error');
      assert.match(vps.message, /told to fail: start/);
      const again = await ended(engine, engine.vps.delete(PROJECT, 'web', { force: false }));
      assert.equal(again.state, 'failed');
      await done(engine, engine.vps.set(PROJECT, 'web', { env: {} }));
      await done(engine, engine.vps.delete(PROJECT, 'web', { force: false }));
      assert.deepEqual(await world.holdings(), NOTHING);
    },
  );

  check('that is cancelled leaves nothing', async (world, engine) => {
    const task = await engine.vps.launch(PROJECT, request(fault('slow:50')));
    await engine.tasks.cancel(task.id);
    assert.equal((await ended(engine, task)).state, 'cancelled');
    assert.deepEqual(await engine.vps.list(PROJECT), []);
    assert.deepEqual(await world.holdings(), NOTHING);
    await assert.rejects(engine.tasks.cancel(task.id), failsWith('wrong_state'));
  });

  check('is refused before anything is touched', async (world, engine) => {
    world.images.add('disk-only', PROJECT, ['disk']);
    world.images.add('root-only', PROJECT, ['rootfs']);
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
      await assert.rejects(
        engine.vps.launch(PROJECT, request(changes)),
        failsWith(code, pattern),
        String(pattern),
      );
      await assert.rejects(engine.vps.plan(PROJECT, request(changes)), failsWith(code, pattern));
    }
    await assert.rejects(
      engine.vps.launch('nobody', request()),
      failsWith('not_found', /project create nobody/),
    );
    assert.deepEqual(await engine.vps.list(PROJECT), []);
    assert.deepEqual(await engine.tasks.list(PROJECT), []);
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('with a kernel of its own counts the memory that others were promised', async (world, engine) => {
    const big = { technique: 'full', memory: 10 * GIB } as const;
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'one', ...big })));
    await assert.rejects(
      engine.vps.launch(PROJECT, request({ name: 'two', ...big })),
      failsWith('insufficient_memory'),
    );
    await done(
      engine,
      engine.vps.launch(PROJECT, request({ name: 'two', ...big, start: false, memory: GIB })),
    );
    world.memoryAvailable = 512 * MIB;
    await assert.rejects(
      engine.vps.start(PROJECT, 'two'),
      failsWith('insufficient_memory', /free on the host now/),
    );
  });

  check('can be planned without doing it', async (world, engine) => {
    const plan = await engine.vps.plan(PROJECT, request());
    assert.deepEqual(
      plan.steps.map(({ action }) => action),
      ['createVolume', 'populate', 'admit', 'prepare', 'connect', 'start'],
    );
    assert.equal(plan.technique, 'os');
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('falls back to what the image fits, and says so', async (world, engine) => {
    world.images.add('disk-only', PROJECT, ['disk']);
    await done(engine, engine.vps.launch(PROJECT, request({ image: 'disk-only' })));
    const info = await engine.vps.info(PROJECT, 'web');
    assert.equal(info.technique, 'full');
    assert.match(info.reason, /os does not fit the image/);
    assert.ok((world.pool.limits.get(info.id) ?? 0) > info.disk);
  });
});
