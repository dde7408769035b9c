import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe } from 'node:test';
import {
  check,
  done,
  failsWith,
  fault,
  PROJECT,
  request,
  type World,
} from '../../test/support/engine-world.ts';
import { eventually } from '../../test/support/scratch.ts';
import { ExecRequestSchema } from '../contract/streams.ts';
import { NO_ROOM } from '../drivers/fake/stall.ts';
import type { Engine } from './engine.ts';

const QUICK = { timings: { question: 500, step: 2_000, close: 500, health: 2_000, retry: 20 } };
const FULL = { technique: 'full' as const };

/** Takes the room away from a VPS that comes to stand still once it runs; the way to give it back. */
async function launchWithoutRoom(world: World, engine: Engine): Promise<() => void> {
  await done(engine, engine.vps.launch(PROJECT, request({ ...FULL, ...fault('stalls-after:300') })));
  const { id } = await engine.vps.info(PROJECT, 'web');
  const file = join(world.pool.volumePath(id), NO_ROOM);
  writeFileSync(file, '');
  return () => rmSync(file);
}
const health = async (engine: Engine): Promise<string> => (await engine.vps.info(PROJECT, 'web')).health;
const untilHealth = (engine: Engine, wanted: string): Promise<void> =>
  eventually(`it is ${wanted}`, async () => (await health(engine)) === wanted);

/** What is told of its health since it stood still, until it is ready again. */
async function healthsTold(engine: Engine): Promise<unknown[]> {
  const told: unknown[] = [];
  for await (const { type, data } of engine.events.subscribe({}, AbortSignal.timeout(20_000))) {
    if (type !== 'vps.health' || (told.length === 0 && data.health === 'ready')) continue;
    told.push(data);
    if (data.health === 'ready') break;
  }
  return told;
}

describe('a VPS that stands still as the pool is full', () => {
  check('says so in lists, events and refusals, and goes on by itself once there is room', async (world) => {
    const engine = await world.open(QUICK);
    const told = healthsTold(engine);
    const giveBack = await launchWithoutRoom(world, engine);
    await untilHealth(engine, 'degraded');
    const [listed] = await engine.vps.list(PROJECT);
    assert.equal(listed?.state, 'running');
    assert.match(listed?.message ?? '', /stands still, as the pool is full/);
    const command = engine.vps.exec(PROJECT, 'web', ExecRequestSchema.parse({ argv: ['true'] }));
    await assert.rejects(command, failsWith('guest_unresponsive', /pool is full/));
    giveBack();
    await untilHealth(engine, 'ready');
    assert.equal((await engine.vps.info(PROJECT, 'web')).message, '');
    assert.deepEqual(await told, [{ health: 'degraded', reason: 'the pool is full' }, { health: 'ready' }]);
    await engine.close();
  });

  check('does so too when another daemon has come meanwhile', async (world) => {
    const former = await world.open(QUICK);
    const giveBack = await launchWithoutRoom(world, former);
    await untilHealth(former, 'degraded');
    await former.close();
    const engine = await world.open(QUICK);
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    await untilHealth(engine, 'degraded');
    giveBack();
    await untilHealth(engine, 'ready');
    await engine.close();
  });

  check('stays paused when it was paused meanwhile, until it is resumed', async (world) => {
    const engine = await world.open(QUICK);
    const giveBack = await launchWithoutRoom(world, engine);
    await untilHealth(engine, 'degraded');
    await done(engine, engine.vps.pause(PROJECT, 'web'));
    assert.equal((await engine.vps.info(PROJECT, 'web')).message, '');
    await engine.close();
    const later = await world.open(QUICK);
    giveBack();
    assert.equal((await later.vps.info(PROJECT, 'web')).state, 'paused');
    await done(later, later.vps.resume(PROJECT, 'web'));
    await untilHealth(later, 'ready');
    await later.close();
  });

  check('can be stopped', async (world) => {
    const engine = await world.open(QUICK);
    await launchWithoutRoom(world, engine);
    await untilHealth(engine, 'degraded');
    await done(engine, engine.vps.stop(PROJECT, 'web', { timeout: 1, force: true }));
    assert.equal(await health(engine), 'unknown');
    await engine.close();
  });
});
