import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import {
  check,
  done,
  ended,
  failsWith,
  fault,
  PROJECT,
  request,
  type World,
} from '../../../test/support/engine-world.ts';
import { GIB, MIB } from '../../contract/sizes.ts';
import type { Task } from '../../contract/tasks.ts';
import type { Technique } from '../../contract/techniques.ts';
import type { Driver, WarmAbility } from '../../drivers/driver.ts';
import type { Engine } from '../engine.ts';

const warm = (name: string, more = {}) =>
  request({ name, technique: 'full', disk: 2 * GIB, warm: true, ...more });

async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const until = Date.now() + 5_000;
  while (Date.now() < until) {
    const seen = await look();
    if (seen !== undefined) return seen;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`waited in vain for: ${what}`);
}

/** The latest of so many builds of templates, when it has ended. */
async function built(engine: Engine, project = PROJECT, count = 1): Promise<Task> {
  const task = await eventually('a template is built', async () => {
    const all = (await engine.tasks.list(project)).filter(({ kind }) => kind === 'template.build');
    return all.length < count ? undefined : all[0];
  });
  return ended(engine, task);
}
const stepsOf = (task: Task): string => JSON.stringify(task.progress);
const builds = async (engine: Engine): Promise<Task[]> =>
  (await engine.tasks.list(PROJECT)).filter(({ kind }) => kind === 'template.build');
const volumes = async (world: World): Promise<number> => (await world.pool.listVolumes()).length;

/** Volumes of templates: those that are of no VPS. */
async function templates(world: World, engine: Engine): Promise<string[]> {
  const own = new Set((await engine.vps.list(PROJECT)).map(({ id }) => id));
  return (await world.pool.listVolumes()).filter((id) => !own.has(id));
}

/** The drivers of a host whose templates stand on something else. */
function driversOf(world: World, basis: WarmAbility['basis']): ReadonlyMap<Technique, Driver> {
  const fake = world.driver();
  const { warm } = fake;
  assert.ok(warm !== undefined);
  const driver: Driver = { ...fake, warm: { ...warm, basis } };
  return new Map([
    ['os', driver],
    ['full', driver],
  ]);
}

describe('a warm start', () => {
  check('boots the first, has a template made, and copies it for the next', async (world, engine) => {
    const first = await done(engine, engine.vps.launch(PROJECT, warm('one')));
    assert.match(first.warnings.join(), /There is no memory template/);
    assert.equal((await built(engine)).state, 'done');
    const plan = await engine.vps.plan(PROJECT, warm('two'));
    assert.match(plan.steps.map(({ description }) => description).join('; '), /copy the memory template/);
    const tasks = await Promise.all([
      engine.vps.launch(PROJECT, warm('two')),
      engine.vps.launch(PROJECT, warm('three')),
    ]);
    for (const task of tasks) {
      const last = await done(engine, task);
      assert.deepEqual(last.warnings, []);
      assert.match(stepsOf(last), /copy the memory template/);
    }
    assert.equal((await builds(engine)).length, 1);
    const all = await engine.vps.list(PROJECT);
    assert.equal(new Set(all.map(({ mac }) => mac)).size, 3);
    assert.deepEqual(new Set(all.map(({ state }) => state)), new Set(['running']));
    assert.equal(await volumes(world), 4);
    assert.equal((await world.driver().leftovers()).length, 3);
  });

  check('is of one size and one project: others have templates of their own', async (world, engine) => {
    await engine.projects.create({ name: 'other', description: '' });
    await done(engine, engine.vps.launch(PROJECT, warm('one')));
    await built(engine);
    const sized = await done(engine, engine.vps.launch(PROJECT, warm('two', { memory: 64 * MIB })));
    assert.match(stepsOf(sized), /fill the volume from the image/);
    const strange = await done(engine, engine.vps.launch('other', warm('one')));
    assert.match(stepsOf(strange), /fill the volume from the image/);
    await built(engine, 'other');
    for (const name of ['one']) await done(engine, engine.vps.delete('other', name, { force: true }));
    const before = await volumes(world);
    await engine.projects.delete('other');
    assert.equal(await volumes(world), before - 1);
  });

  check(
    'loses its template when the image goes, and when it cannot be started from',
    async (world, engine) => {
      world.images.add('brief', PROJECT);
      await done(engine, engine.vps.launch(PROJECT, warm('one', { image: 'brief' })));
      await built(engine);
      const failed = await ended(
        engine,
        engine.vps.launch(PROJECT, warm('bad', { image: 'brief', ...fault('start-fails') })),
      );
      assert.equal(failed.state, 'failed');
      const left = (count: number): Promise<true> =>
        eventually(`${count} volumes are left`, async () => (await volumes(world)) === count || undefined);
      await left(1);
      await done(engine, engine.vps.launch(PROJECT, warm('two', { image: 'brief' })));
      await built(engine, PROJECT, 2);
      assert.equal(await volumes(world), 3);
      for (const name of ['one', 'two'])
        await done(engine, engine.vps.delete(PROJECT, name, { force: true }));
      await done(engine, engine.images.delete(PROJECT, 'brief'));
      await left(0);
    },
  );

  check('is refused where the technique has none', async (_world, engine) => {
    await assert.rejects(
      engine.vps.launch(PROJECT, warm('one', { technique: 'os' })),
      failsWith('not_supported', /without --warm/),
    );
  });

  check('whose template fails leaves nothing of it, and the VPS runs', async (world, engine) => {
    const { createVolume } = world.pool;
    await done(engine, engine.vps.launch(PROJECT, warm('zero')));
    await built(engine);
    let calls = 0;
    world.pool.createVolume = async function (this: World['pool'], id: string, limit: number) {
      calls += 1;
      await createVolume.call(world.pool, id, limit);
      if (calls === 2) throw new Error('the pool is full');
    };
    await done(engine, engine.vps.launch(PROJECT, warm('one', { memory: 64 * MIB })));
    const task = await built(engine, PROJECT, 2);
    assert.equal(task.state, 'failed');
    assert.match(task.error?.message ?? '', /the pool is full/);
    assert.equal((await engine.vps.info(PROJECT, 'one')).state, 'running');
    assert.equal(await volumes(world), 3);
  });

  check('makes no template in the room that is kept for VPSs', async (world, engine) => {
    world.pool.used = world.pool.size - 2 * GIB - 1000;
    await done(engine, engine.vps.launch(PROJECT, warm('one')));
    const task = await built(engine);
    assert.equal(task.error?.code, 'insufficient_disk');
    assert.match(task.error?.message ?? '', /the memory template: .* kept for VPSs/);
    assert.equal(await volumes(world), 1);
  });

  for (const [title, basis] of [
    ['QEMU or the processor is another one', async () => 'a newer fake'],
    ['QEMU does not tell what it is', () => Promise.reject(new Error('it is not installed'))],
  ] as const) {
    check(`loses its template when ${title}`, async (world, engine) => {
      await done(engine, engine.vps.launch(PROJECT, warm('one')));
      await built(engine);
      const [old = ''] = await templates(world, engine);
      await engine.close();
      const later = await world.open({ drivers: driversOf(world, basis) });
      await later.close();
      assert.equal(await volumes(world), 1, 'the new daemon has taken it away');
      const last = await world.open({ drivers: driversOf(world, async () => 'a newer fake') });
      try {
        const next = await done(last, last.vps.launch(PROJECT, warm('two')));
        assert.match(next.warnings.join(), /There is no memory template/);
        assert.equal((await built(last, PROJECT, 2)).state, 'done');
        const made = await templates(world, last);
        assert.deepEqual([made.length, made.includes(old)], [1, false]);
        const third = await done(last, last.vps.launch(PROJECT, warm('three')));
        assert.match(stepsOf(third), /copy the memory template/);
      } finally {
        await last.close();
      }
    });
  }

  check('loses the oldest template of a project that has many', async (world, engine) => {
    const kept: string[] = [];
    for (let count = 1; count <= 5; count++) {
      const name = `vps-${count}`;
      await done(engine, engine.vps.launch(PROJECT, warm(name, { memory: (60 + count) * MIB })));
      assert.equal((await built(engine, PROJECT, count)).state, 'done');
      kept.push(...(await templates(world, engine)).filter((id) => !kept.includes(id)));
    }
    assert.deepEqual((await templates(world, engine)).sort(), kept.slice(1).sort());
  });

  check('survives a new daemon, which takes away what has no record', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, warm('one')));
    await built(engine);
    await engine.close();
    await world.pool.createVolume('0123456789ab', 1);
    writeFileSync(join(world.pool.volumePath('0123456789ab'), 'memory.ram'), 'half');
    const later = await world.open();
    try {
      assert.equal(await volumes(world), 2);
      const next = await done(later, later.vps.launch(PROJECT, warm('two')));
      assert.match(stepsOf(next), /copy the memory template/);
    } finally {
      await later.close();
    }
  });
});
