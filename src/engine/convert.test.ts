import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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
  type World,
} from '../../test/support/engine-world.ts';
import type { Engine } from './engine.ts';

const file = async (world: World, engine: Engine): Promise<string> =>
  join(world.pool.volumePath((await engine.vps.info(PROJECT, 'web')).id), 'upper/root/data');
const facts = async (engine: Engine) => {
  const { technique, state, addresses, mac, snapshots } = await engine.vps.info(PROJECT, 'web');
  return { technique, state, addresses, mac, snapshots };
};

describe('a conversion', () => {
  check('changes the technique and nothing else', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const before = await facts(engine);
    const task = await done(engine, engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    assert.match(JSON.stringify(task.progress), /convert the data for the technique full/);
    assert.deepEqual(await facts(engine), { ...before, technique: 'full' });
    assert.deepEqual(
      world.converter.conversions.map(({ from, to }) => [from, to]),
      [['root', 'disk']],
    );
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('of a stopped VPS boots it to see that it does, and stops it', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ start: false })));
    await done(engine, engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    assert.deepEqual([(await facts(engine)).technique, (await facts(engine)).state], ['full', 'stopped']);
  });

  check('that fails half-way leaves the VPS as it was', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const data = await file(world, engine);
    writeFileSync(data, 'good');
    const before = await facts(engine);
    world.converter.failure = new Error('the disk cannot be made');
    world.converter.damage = () => writeFileSync(data, 'half converted');
    const task = await ended(engine, await engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    assert.equal(task.state, 'failed');
    assert.deepEqual(await facts(engine), before);
    assert.equal(readFileSync(data, 'utf8'), 'good');
  });

  check('whose VPS does not boot leaves it as it was', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ start: false })));
    await done(engine, engine.vps.set(PROJECT, 'web', fault('start-fails')));
    const before = await facts(engine);
    const task = await ended(engine, await engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    assert.equal(task.state, 'failed');
    assert.deepEqual(await facts(engine), before);
    assert.equal(world.converter.conversions.length, 1);
  });

  check('is refused where it cannot be', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const convert = (technique: 'os' | 'full' | 'kernel') =>
      engine.vps.convert(PROJECT, 'web', { technique });
    await assert.rejects(convert('os'), failsWith('wrong_state', /already/));
    await assert.rejects(convert('kernel'), failsWith('technique_unavailable'));
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    await assert.rejects(convert('full'), failsWith('conversion_refused', /has snapshots/));
    await done(engine, engine.snapshots.delete(PROJECT, 'web', 's1'));
    world.pool.features.snapshots = false;
    await assert.rejects(convert('full'), failsWith('not_supported'));
  });
});
