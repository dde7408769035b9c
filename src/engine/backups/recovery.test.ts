import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { describe } from 'node:test';
import { addRepo } from '../../../test/support/backup-world.ts';
import { done, PROJECT, request, type World } from '../../../test/support/engine-world.ts';
import { killedAtAnyCall, type Scenario } from '../../../test/support/killed-works.ts';
import { eventually } from '../../../test/support/scratch.ts';
import type { Task } from '../../contract/tasks.ts';
import type { Engine } from '../contract.ts';

const KEEP_ONE = { last: 1, daily: 0, weekly: 0, monthly: 0 };
const NIGHT = (day: number): Date => new Date(`2026-03-${day}T02:00:01Z`);

async function backedUp(engine: Engine, world: World): Promise<void> {
  await done(engine, engine.vps.launch(PROJECT, request()));
  await addRepo(engine);
  const [image] = world.images.records;
  const folder = world.pool.imagePath(image?.id ?? '');
  mkdirSync(folder);
  await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  // The noted pool keeps images beside volumes.
  rmSync(folder, { recursive: true });
}

const first = async (engine: Engine): Promise<string> =>
  (await engine.backups.list(PROJECT, {}))[0]?.id ?? '';

/** The clock goes to a night's hour of the schedule; answers the task of its backup. */
async function atNight(engine: Engine, world: World, day: number): Promise<Task> {
  const before = new Set((await engine.tasks.list(PROJECT)).map(({ id }) => id));
  world.clock = () => NIGHT(day);
  world.backups.clock = world.clock;
  let begun: Task | undefined;
  await eventually('its backup begins', async () => {
    begun = (await engine.tasks.list(PROJECT)).find(({ id }) => !before.has(id));
    return begun !== undefined;
  });
  assert.ok(begun);
  return begun;
}

async function scheduled(engine: Engine, world: World): Promise<void> {
  world.clock = () => new Date('2026-03-10T12:00:00Z');
  world.backups.clock = world.clock;
  await backedUp(engine, world);
  await engine.backups.setSchedule(PROJECT, 'web', { at: 'daily 02:00', keep: KEEP_ONE, jitter: 0 });
  await done(engine, atNight(engine, world, 11));
  await eventually('it is noted', async () => (await engine.vps.info(PROJECT, 'web')).backup === 'ok');
}

/** Whatever is listed can be restored and deleted, and the next backup is made. */
async function works(engine: Engine): Promise<void> {
  for (const { id } of await engine.backups.list(PROJECT, {})) {
    await done(engine, engine.backups.restore(PROJECT, id, { name: 'twin', start: true }));
    await done(engine, engine.vps.delete(PROJECT, 'twin', { force: true }));
    await done(engine, engine.backups.delete(PROJECT, id));
  }
  await done(engine, engine.backups.create(PROJECT, { vps: 'web' }));
  assert.equal((await engine.backups.list(PROJECT, {})).length, 1);
}

const SCENARIOS: readonly Scenario[] = [
  {
    verb: 'backup',
    prepare: backedUp,
    act: (engine) => engine.backups.create(PROJECT, { vps: 'web' }),
    allowed: ['running'],
    expect: works,
  },
  {
    verb: 'restore of a backup',
    prepare: backedUp,
    act: async (engine) =>
      engine.backups.restore(PROJECT, await first(engine), { name: 'twin', start: true }),
    allowed: ['running'],
  },
  {
    verb: 'deletion of a backup',
    prepare: backedUp,
    act: async (engine) => engine.backups.delete(PROJECT, await first(engine)),
    allowed: ['running'],
    expect: works,
  },
  {
    verb: 'verification of a backup',
    prepare: backedUp,
    act: async (engine) => engine.backups.verify(PROJECT, await first(engine)),
    allowed: ['running'],
    expect: async (engine) => {
      const names = (await engine.vps.list(PROJECT)).map(({ name }) => name);
      assert.deepEqual(names, ['web']);
      await works(engine);
    },
  },
  {
    verb: 'scheduled backup with its retention',
    prepare: scheduled,
    act: (engine, world) => atNight(engine, world, 12),
    allowed: ['running'],
    expect: async (engine) => {
      const tonight = async (): Promise<boolean> => {
        const { lastSuccessAt } = await engine.backups.schedule(PROJECT, 'web');
        const tasks = await engine.tasks.list(PROJECT);
        return lastSuccessAt === NIGHT(12).toISOString() && tasks.every(({ state }) => state !== 'running');
      };
      await eventually('the run that is owed is made', tonight);
      const kept = (await engine.backups.list(PROJECT, {})).filter(({ schedule }) => schedule);
      assert.deepEqual(
        kept.map(({ createdAt }) => createdAt),
        [NIGHT(12).toISOString()],
      );
      assert.equal((await engine.backups.list(PROJECT, {})).length, 2, 'that of a person is kept');
      await works(engine);
    },
  },
];

describe('a daemon that is killed', () => {
  for (const scenario of SCENARIOS) killedAtAnyCall(scenario);
});
