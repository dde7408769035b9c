import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import {
  check,
  done,
  ended,
  failsWith,
  fault,
  PROJECT,
  request,
  STOP,
  World,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { NO_RATES } from '../contract/rates.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import { CopyRequestSchema } from '../contract/snapshots.ts';
import type { Driver, MemoryAbility } from '../drivers/driver.ts';
import type { Engine } from './engine.ts';

const FULL = { technique: 'full' as const, disk: 2 * GIB };
const create = (engine: Engine, name: string) =>
  engine.snapshots.create(PROJECT, 'web', { name, stateful: true });

/** The fake, with parts of its own. */
const withDriver = (world: World, change: (fake: Driver) => Partial<Driver>) => {
  const fake = world.driver();
  return { drivers: new Map([['full', { ...fake, ...change(fake) }]] as const) };
};

/** The fake, whose memory is saved otherwise. */
const savingBy = (world: World, save: (memory: MemoryAbility) => MemoryAbility['save']) =>
  withDriver(world, ({ memory }) => {
    assert.ok(memory !== undefined);
    return { memory: { ...memory, save: save(memory) } };
  });

/** Of the fake's boot, which stands for what its memory holds. */
async function bootOf(world: World, engine: Engine): Promise<string> {
  const { id } = await engine.vps.info(PROJECT, 'web');
  const state: unknown = JSON.parse(
    readFileSync(join(world.naming.runDirectory, 'vps', id, 'fake.json'), 'utf8'),
  );
  assert.ok(typeof state === 'object' && state !== null && 'bootId' in state);
  return String(state.bootId);
}

const stateFile = async (world: World, engine: Engine): Promise<string> =>
  join(world.naming.runDirectory, 'vps', (await engine.vps.info(PROJECT, 'web')).id, 'fake.json');

const memoryFile = async (world: World, engine: Engine, name = 'web'): Promise<string> =>
  join(world.pool.volumePath((await engine.vps.info(PROJECT, name)).id), 'memory.json');

describe('a snapshot with memory', () => {
  check(
    'keeps what runs, and a restore goes on from there, also when it is stopped',
    async (world, engine) => {
      await done(engine, engine.vps.launch(PROJECT, request(FULL)));
      const boot = await bootOf(world, engine);
      const { id } = await engine.vps.info(PROJECT, 'web');
      const limit = world.pool.limits.get(id);
      await done(engine, create(engine, 's1'));
      assert.deepEqual(
        (await engine.snapshots.list(PROJECT, 'web')).map(({ name, stateful }) => [name, stateful]),
        [['s1', true]],
      );
      assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
      assert.equal(await bootOf(world, engine), boot);
      assert.ok(!existsSync(await memoryFile(world, engine)));
      assert.equal(world.pool.limits.get(id), limit);
      await done(engine, engine.vps.restart(PROJECT, 'web', STOP));
      assert.notEqual(await bootOf(world, engine), boot);
      await done(engine, engine.snapshots.restore(PROJECT, 'web', 's1'));
      assert.equal(await bootOf(world, engine), boot);
      await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
      const restored = await done(engine, engine.snapshots.restore(PROJECT, 'web', 's1'));
      assert.deepEqual(restored.warnings, []);
      assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
      assert.equal(await bootOf(world, engine), boot);
    },
  );

  check('leaves a paused VPS paused', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(FULL)));
    await done(engine, engine.vps.pause(PROJECT, 'web'));
    await done(engine, create(engine, 's1'));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'paused');
    assert.ok(!existsSync(await memoryFile(world, engine)));
  });

  check('whose memory does not fit any more boots, and says why', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ ...FULL, memory: 64 * MIB })));
    const boot = await bootOf(world, engine);
    await done(engine, create(engine, 's1'));
    await done(engine, engine.vps.set(PROJECT, 'web', { memory: 128 * MIB }));
    const restored = await done(engine, engine.snapshots.restore(PROJECT, 'web', 's1'));
    assert.match(restored.warnings.join(), /boots instead: it had 64M of memory then/);
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    assert.notEqual(await bootOf(world, engine), boot);
  });

  check('is refused for what is stopped, what cannot, and a pool without room', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ technique: 'os' })));
    await assert.rejects(create(engine, 's1'), failsWith('not_supported', /os.*cannot keep memory/));
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    await done(engine, engine.vps.launch(PROJECT, request(FULL)));
    world.pool.used = world.pool.size - 100;
    await assert.rejects(create(engine, 's1'), failsWith('insufficient_disk', /pool grow/));
    world.pool.used = 0;
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await assert.rejects(create(engine, 's1'), failsWith('wrong_state', /has no memory to keep/));
  });

  check('is refused where it would take the room that is kept for VPSs', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(FULL)));
    const { size } = world.pool;
    world.pool.used = size - 2 * GIB - 1000;
    await assert.rejects(create(engine, 's1'), failsWith('insufficient_disk', /2G are kept for VPSs/));
    world.pool.used = size - 2 * GIB - 5000;
    await done(engine, create(engine, 's1'));
  });

  check('is given up when that room is taken meanwhile, and the VPS goes on', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ ...FULL, ...fault('slow:900') })));
    const task = await create(engine, 's1');
    const state = async () => (await engine.vps.info(PROJECT, 'web')).state;
    await eventually(
      'its memory is being saved',
      async () =>
        existsSync(await stateFile(world, engine)) &&
        /paused/.test(readFileSync(await stateFile(world, engine), 'utf8')),
    );
    world.pool.used = world.pool.size - GIB;
    const last = await ended(engine, task);
    assert.equal(last.error?.code, 'insufficient_disk');
    assert.match(last.error?.message ?? '', /the memory of web/);
    assert.equal(await state(), 'running');
    assert.equal(await world.driver().recover(...(await found(world, engine))), 'running');
    assert.deepEqual(await engine.snapshots.list(PROJECT, 'web'), []);
    assert.ok(!existsSync(await memoryFile(world, engine)));
  });

  check('does not give its memory to a copy', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(FULL)));
    await done(engine, create(engine, 's1'));
    const twin = CopyRequestSchema.parse({ name: 'twin', snapshot: 's1' });
    await done(engine, engine.vps.copy(PROJECT, 'web', twin));
    assert.ok(!existsSync(await memoryFile(world, engine, 'twin')));
  });

  check('that fails leaves the VPS as it was, and running', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ ...FULL, ...fault('save-fails') })));
    const { id } = await engine.vps.info(PROJECT, 'web');
    const limit = world.pool.limits.get(id);
    assert.equal((await ended(engine, create(engine, 's1'))).state, 'failed');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    assert.equal(await world.driver().recover(...(await found(world, engine))), 'running');
    assert.equal(world.pool.limits.get(id), limit);
    assert.deepEqual(await engine.snapshots.list(PROJECT, 'web'), []);
  });

  test('that the next daemon makes instead of one that was killed leaves the VPS running', async () => {
    using world = new World();
    const cut = await cutOff(world);
    const engine = await world.open();
    await done(engine, engine.tasks.get(cut));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    assert.equal(await world.driver().recover(...(await found(world, engine))), 'running');
    assert.equal((await engine.snapshots.list(PROJECT, 'web'))[0]?.stateful, true);
    assert.ok(!existsSync(await memoryFile(world, engine)));
    await engine.close();
  });

  test('that the next daemon cannot make either leaves the VPS running', async () => {
    using world = new World();
    const cut = await cutOff(world);
    const engine = await world.open(
      savingBy(world, () => async () => {
        throw new Error('no memory today');
      }),
    );
    assert.equal((await ended(engine, engine.tasks.get(cut))).state, 'failed');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    assert.equal(await world.driver().recover(...(await found(world, engine))), 'running');
    assert.deepEqual(await engine.snapshots.list(PROJECT, 'web'), []);
    assert.ok(!existsSync(await memoryFile(world, engine)));
    await engine.close();
  });

  test('after which the VPS cannot go on tells so, and a resume lets it', async () => {
    using world = new World();
    let isStuck = true;
    const resume = withDriver(world, ({ pause }) => {
      assert.ok(pause !== undefined);
      const unlessStuck: typeof pause.resume = async (machine, handle) => {
        if (isStuck) throw new Error('stuck');
        return pause.resume(machine, handle);
      };
      return { pause: { ...pause, resume: unlessStuck } };
    });
    const engine = await world.open(resume);
    await done(engine, engine.vps.launch(PROJECT, request(FULL)));
    assert.equal((await ended(engine, create(engine, 's1'))).state, 'failed');
    const { state, message } = await engine.vps.info(PROJECT, 'web');
    assert.equal(state, 'paused');
    assert.match(message, /stuck/);
    isStuck = false;
    await done(engine, engine.vps.resume(PROJECT, 'web'));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    assert.ok(!existsSync(await memoryFile(world, engine)));
    await engine.close();
  });
});

/** A daemon that ends while it saves a VPS's memory; the id of the task that it leaves. */
async function cutOff(world: World): Promise<string> {
  const saved = Promise.withResolvers<void>();
  const engine = await world.open({
    ...savingBy(world, (memory) => async (...asked) => {
      await memory.save(...asked);
      saved.resolve();
      await new Promise<never>(() => undefined);
    }),
    timings: { close: 10 },
  });
  await done(engine, engine.vps.launch(PROJECT, request(FULL)));
  const { id } = await create(engine, 's1');
  await saved.promise;
  await engine.close();
  return id;
}

/** The fake's machine, as far as it is asked for, and its handle. */
async function found(world: World, engine: Engine) {
  const { id, name } = await engine.vps.info(PROJECT, 'web');
  const runDirectory = join(world.naming.runDirectory, 'vps', id);
  const state: unknown = JSON.parse(readFileSync(join(runDirectory, 'fake.json'), 'utf8'));
  assert.ok(typeof state === 'object' && state !== null && 'pid' in state && 'pidStart' in state);
  const machine = {
    ...{
      id,
      name,
      project: PROJECT,
      technique: 'full' as const,
      limits: { cpus: 1, memory: 1, disk: 1, pids: 1, ...NO_RATES },
    },
    ...{
      ids: { base: 0, count: 1 },
      volume: '',
      image: { id: '' },
      runDirectory,
      logDirectory: '',
      cgroup: '',
    },
    ...{ nics: [], machineId: '', env: {}, sshKeys: [] },
  };
  return [machine, { pid: Number(state.pid), pidStart: Number(state.pidStart), data: {} }] as const;
}
