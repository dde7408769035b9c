import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { check, done, fault, PROJECT, request, STOP, World } from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { ExecRequestSchema } from '../contract/streams.ts';
import type { Engine } from './engine.ts';

const info = (engine: Engine) => engine.vps.info(PROJECT, 'web');
const state = async (engine: Engine) => (await info(engine)).state;

/** Has the guest do something that ends it. */
async function act(engine: Engine, argv: 'reboot' | 'poweroff' | 'crash'): Promise<void> {
  const session = await engine.vps.exec(PROJECT, 'web', ExecRequestSchema.parse({ argv: [argv] }));
  session.stdout.resume();
  session.stderr?.resume();
  await session.exit;
}

/** Waits until it runs as another machine than before. */
async function startedAfter(engine: Engine, before: string | null): Promise<void> {
  await eventually('it runs again', async () => {
    const vps = await info(engine);
    return vps.state === 'running' && vps.startedAt !== before;
  });
}

describe('a guest that ends by itself', () => {
  check('is started again at once when it rebooted, whatever the policy', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ restart: 'no' })));
    const { startedAt, addresses } = await info(engine);
    await act(engine, 'reboot');
    await startedAfter(engine, startedAt);
    assert.deepEqual((await info(engine)).addresses, addresses);
    assert.equal(world.network.attached.size, 1);
  });

  check('ends as stopped with that reason when it switched itself off', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await act(engine, 'poweroff');
    await eventually('it is stopped', async () => (await state(engine)) === 'stopped');
    const { message, lastWords } = await info(engine);
    assert.equal(message, 'The guest switched itself off.');
    assert.deepEqual(lastWords, []);
  });

  check(
    'goes to error with its last words when it died, and stays with policy no',
    async (_world, engine) => {
      await done(engine, engine.vps.launch(PROJECT, request({ restart: 'no' })));
      await act(engine, 'crash');
      await eventually('it is in error', async () => (await state(engine)) === 'error');
      const { message, lastWords } = await info(engine);
      assert.equal(message, 'The fake was told to die.');
      assert.deepEqual(lastWords, ['fake: web is up', 'fake: kernel panic, as wanted']);
      await done(engine, engine.vps.start(PROJECT, 'web'));
      assert.deepEqual((await info(engine)).lastWords, []);
    },
  );

  check('is started again after it died, later each time', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const { startedAt } = await info(engine);
    await act(engine, 'crash');
    await eventually('it is in error', async () => (await state(engine)) === 'error');
    assert.match((await info(engine)).message, /^The fake was told to die. It is started again at 20/);
    await startedAfter(engine, startedAt);
    assert.deepEqual((await info(engine)).lastWords.at(-1), 'fake: kernel panic, as wanted');
    const began = Date.now();
    await act(engine, 'crash');
    await eventually('it is in error again', async () => (await state(engine)) === 'error');
    const due = Date.parse(/at (\S+)\.$/.exec((await info(engine)).message)?.[1] ?? '');
    assert.ok(due - began > 1_500, String(due - began));
  });

  check('is started again with policy always, set while it runs', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.set(PROJECT, 'web', { restart: 'always' }));
    const { startedAt, restart, pendingRestart } = await info(engine);
    assert.deepEqual([restart, pendingRestart], ['always', []]);
    await act(engine, 'poweroff');
    await startedAfter(engine, startedAt);
  });

  check('is tried again later when the start by itself failed', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.set(PROJECT, 'web', fault('start-fails')));
    const { startedAt } = await info(engine);
    await act(engine, 'crash');
    await eventually('the start failed', async () => {
      const { state, message } = await info(engine);
      return state === 'error' && /to fail: start\. It is started again at 20/.test(message);
    });
    await done(engine, engine.vps.set(PROJECT, 'web', { env: {} }));
    await startedAfter(engine, startedAt);
  });

  check('is left alone once someone stopped, deleted or started it', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await act(engine, 'crash');
    await eventually('it is in error', async () => (await state(engine)) === 'error');
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await new Promise((resolve) => setTimeout(resolve, 1_200));
    assert.equal(await state(engine), 'stopped');
  });

  test('is started again by the next daemon when the first one ended meanwhile', async () => {
    using world = new World();
    const first = await world.open();
    await done(first, first.vps.launch(PROJECT, request(fault('dies-after:20'))));
    await eventually('it is in error', async () => (await state(first)) === 'error');
    await first.close();
    const second = await world.open();
    await eventually('it runs', async () => (await state(second)) === 'running');
    await second.close();
  });
});
