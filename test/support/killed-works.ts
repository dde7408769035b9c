import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Task } from '../../src/contract/tasks.ts';
import type { Technique } from '../../src/contract/techniques.ts';
import { createEngine, type Engine, type EngineDeps } from '../../src/engine/engine.ts';
import { done, ended, NOTHING, PROJECT, World } from './engine-world.ts';
import { Interruption } from './interruption.ts';
import { eventually } from './scratch.ts';

/** Everything below an engine, that stops answering at one call. */
export function mortal(world: World, death: Interruption): EngineDeps {
  const deps = world.deps();
  const driver = death.wrap('driver', world.driver(), [
    'populate',
    'prepare',
    'start',
    'shutdown',
    'remove',
    'recover',
    'leftovers',
  ]);
  const techniques: readonly Technique[] = ['os', 'full'];
  return {
    ...deps,
    store: death.wrap('store', world.store, ['transact', 'get', 'list']),
    pool: death.wrap('pool', world.pool, [
      'createVolume',
      'deleteVolume',
      'setLimit',
      'listVolumes',
      'createSnapshot',
      'deleteSnapshot',
      'restoreSnapshot',
      'cloneVolume',
    ]),
    network: death.wrap('network', world.network, ['admit', 'connect', 'detach', 'ensureNetwork', 'sync']),
    backups: death.wrap('backups', world.backups, ['list', 'read', 'save', 'restore', 'check', 'forget']),
    drivers: new Map(techniques.map((technique) => [technique, driver])),
    timings: { ...deps.timings, step: 1_500, populate: 1_500, question: 1_500, health: 0, schedule: 5 },
  };
}

/** What is on the host fits what the engine says there is. */
export async function assertSane(world: World, engine: Engine): Promise<void> {
  const all = await engine.vps.list(PROJECT);
  const running = all.filter(({ state }) => state === 'running' || state === 'paused').map(({ id }) => id);
  const { machines, volumes, attached } = await world.holdings();
  assert.deepEqual(volumes.sort(), all.map(({ id }) => id).sort(), 'volumes');
  assert.deepEqual(machines.sort(), running.sort(), 'machines');
  assert.deepEqual(attached.sort(), running.sort(), 'places on the network');
  for (const { id, name } of all) {
    const known = (await engine.snapshots.list(PROJECT, name)).map((snapshot) => snapshot.name);
    assert.deepEqual(await world.pool.listSnapshots(id), known, `snapshots of ${name}`);
  }
  assert.equal((await world.store.list('claim/slot/')).length, all.length, 'slots');
  assert.equal((await world.store.list('claim/name/')).length, all.length, 'names');
  for (const task of await engine.tasks.list(PROJECT)) assert.notEqual(task.state, 'running', task.kind);
}

export async function settled(engine: Engine): Promise<void> {
  for (const task of await engine.tasks.list(PROJECT)) await ended(engine, task);
}

export interface Scenario {
  readonly verb: string;
  readonly prepare: (engine: Engine, world: World) => Promise<unknown>;
  readonly act: (engine: Engine, world: World) => Promise<Task>;
  /** States that the VPS `web` may be in after the next daemon has done its work; gone: it is not there. */
  readonly allowed: readonly string[];
  /** What else holds then. */
  readonly expect?: ((engine: Engine, world: World) => Promise<void>) | undefined;
}

/** Kills a daemon at each of the calls that it makes for a work, one after another, and lets the next take over. */
export function killedAtAnyCall({ verb, prepare, act, allowed, expect }: Scenario): void {
  for (const when of ['before', 'after'] as const) {
    test(`${when} the effect of any call of a ${verb} leaves nothing half done`, async () => {
      const met: string[] = [];
      for (let at = 1; ; at++) {
        assert.ok(at < 60, `endless: ${met.join(' ')}`);
        using world = new World();
        const death = new Interruption(at, when);
        const first = createEngine(mortal(world, death));
        await first.open();
        await prepare(first, world);
        death.arm();
        const acting = act(first, world).then((task) => ended(first, task));
        acting.catch(() => undefined);
        const finished = await Promise.race([acting.then(() => true), death.reached.then(() => false)]);
        met.push(death.calls.at(-1) ?? '');
        const second = await world.open();
        try {
          await settled(second);
          await eventually('it rests', async () =>
            (await second.vps.list(PROJECT)).every(
              ({ state }) => !state.endsWith('ing') || state === 'running',
            ),
          );
          await settled(second);
          const vps = (await second.vps.list(PROJECT)).find(({ name }) => name === 'web');
          const where = `killed ${when} call ${at}: ${death.calls.join(' ')}`;
          assert.ok(allowed.includes(vps?.state ?? 'gone'), `${vps?.state}, ${where}`);
          await expect?.(second, world);
          await assertSane(world, second);
          for (const { name } of await second.vps.list(PROJECT)) {
            await done(second, second.vps.delete(PROJECT, name, { force: true }));
          }
          assert.deepEqual(await world.holdings(), NOTHING, where);
        } finally {
          await second.close();
        }
        if (finished) break;
      }
      assert.ok(met.length > 2);
    });
  }
}
