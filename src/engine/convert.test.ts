import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
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
  World,
} from '../../test/support/engine-world.ts';
import { GIB } from '../contract/sizes.ts';
import { CopyRequestSchema } from '../contract/snapshots.ts';
import type { Features, Technique } from '../contract/techniques.ts';
import type { Driver } from '../drivers/driver.ts';
import type { Engine } from './engine.ts';

const file = async (world: World, engine: Engine): Promise<string> =>
  join(world.pool.volumePath((await engine.vps.info(PROJECT, 'web')).id), 'upper/root/data');
const facts = async (engine: Engine) => {
  const { technique, state, addresses, mac, snapshots } = await engine.vps.info(PROJECT, 'web');
  return { technique, state, addresses, mac, snapshots };
};

interface Peculiarities {
  readonly techniques?: readonly Technique[];
  readonly features?: Readonly<Partial<Record<Technique, Partial<Features>>>>;
  /** Of each machine that runs. */
  readonly memoryUsed?: number;
}

/** A test with the fake as other drivers are. */
function checkWith(
  title: string,
  { techniques = ['os', 'full'], features, memoryUsed }: Peculiarities,
  body: (world: World, engine: Engine) => Promise<void>,
): void {
  test(title, async () => {
    using world = new World();
    const fake = world.driver();
    const driver: Driver = {
      ...fake,
      features: (id, parts) => ({ ...fake.features(id, parts), ...features?.[id] }),
      meters: (machine) => {
        const meters = fake.meters?.(machine);
        assert.ok(meters !== undefined);
        return { ...meters, memory: memoryUsed ?? meters.memory };
      },
    };
    const engine = await world.open({ drivers: new Map(techniques.map((id) => [id, driver])) });
    try {
      await body(world, engine);
    } finally {
      await engine.close();
    }
  });
}

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

  check('keeps snapshots, each with the technique it was made under', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const data = await file(world, engine);
    writeFileSync(data, 'as a container');
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
    await done(engine, engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    writeFileSync(data, 'as a machine');
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'after' }));
    const made = async () =>
      (await engine.snapshots.list(PROJECT, 'web')).map(({ name, technique }) => [name, technique]);
    const both = [
      ['before', 'os'],
      ['after', 'full'],
    ];
    assert.deepEqual(await made(), both);
    await done(engine, engine.snapshots.restore(PROJECT, 'web', 'after'));
    assert.equal((await facts(engine)).technique, 'full');

    const old = CopyRequestSchema.parse({ name: 'old', snapshot: 'before', start: true });
    await done(engine, engine.vps.copy(PROJECT, 'web', old));
    const copied = await engine.vps.info(PROJECT, 'old');
    assert.deepEqual([copied.technique, copied.driver, copied.state], ['os', 'fake', 'running']);

    const task = await done(engine, engine.snapshots.restore(PROJECT, 'web', 'before'));
    assert.match(JSON.stringify(task), /technique os again/);
    assert.deepEqual([(await facts(engine)).technique, (await facts(engine)).state], ['os', 'running']);
    assert.equal(readFileSync(data, 'utf8'), 'as a container');
    assert.deepEqual(await made(), both);
    await done(engine, engine.snapshots.delete(PROJECT, 'web', 'before'));
    for (const name of ['web', 'old']) await done(engine, engine.vps.delete(PROJECT, name, { force: true }));
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('that fails leaves snapshots to what they were', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
    world.converter.failure = new Error('the disk cannot be made');
    await ended(engine, await engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
    await done(engine, engine.snapshots.restore(PROJECT, 'web', 'before'));
    assert.equal((await facts(engine)).technique, 'os');
  });

  checkWith(
    'is refused while the VPS has limits that the other technique cannot keep',
    { features: { full: { diskRates: false } } },
    async (_world, engine) => {
      const convert = () => engine.vps.convert(PROJECT, 'web', { technique: 'full' });
      await done(engine, engine.vps.launch(PROJECT, request({ diskWriteRate: '20M', diskReadOps: 500 })));
      await assert.rejects(
        convert(),
        failsWith('not_supported', /mullion set web diskWriteRate=0 diskReadOps=0$/),
      );
      assert.equal((await facts(engine)).technique, 'os');
      await done(engine, engine.vps.set(PROJECT, 'web', { diskWriteRate: 0, diskReadOps: 0 }));
      await done(engine, convert());
      assert.equal((await facts(engine)).technique, 'full');
    },
  );

  checkWith(
    'is not brought back by a snapshot, nor copied from one, while the VPS has limits that it cannot keep',
    { features: { os: { diskRates: false } } },
    async (_world, engine) => {
      await done(engine, engine.vps.launch(PROJECT, request()));
      await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
      await done(engine, engine.vps.convert(PROJECT, 'web', { technique: 'full' }));
      await done(engine, engine.vps.set(PROJECT, 'web', { diskWriteRate: 20_000_000 }));
      const refused = failsWith('not_supported', /mullion set web diskWriteRate=0$/);
      const copying = CopyRequestSchema.parse({ name: 'old', snapshot: 'before' });
      await assert.rejects(engine.snapshots.restore(PROJECT, 'web', 'before'), refused);
      await assert.rejects(engine.vps.copy(PROJECT, 'web', copying), refused);
      await done(engine, engine.vps.set(PROJECT, 'web', { diskWriteRate: 0 }));
      await done(engine, engine.vps.copy(PROJECT, 'web', copying));
      await done(engine, engine.snapshots.restore(PROJECT, 'web', 'before'));
      assert.equal((await facts(engine)).technique, 'os');
    },
  );

  checkWith(
    'needs room in the pool only where the data takes another form',
    { techniques: ['os', 'full', 'kernel'] },
    async (world, engine) => {
      const convert = (technique: 'full' | 'kernel' | 'os') =>
        engine.vps.convert(PROJECT, 'web', { technique });
      await done(engine, engine.vps.launch(PROJECT, request({ technique: 'full', disk: '12G' })));
      world.pool.used = world.pool.size - 7 * GIB;
      await done(engine, convert('kernel'));
      await done(engine, convert('full'));
      await assert.rejects(convert('os'), failsWith('insufficient_disk'));
      world.pool.used = world.pool.size - 12 * GIB;
      await done(engine, convert('os'));
    },
  );

  checkWith(
    'counts the memory that the VPS has as free',
    { features: { os: { ownKernel: true }, full: { ownKernel: true } }, memoryUsed: GIB },
    async (world, engine) => {
      const convert = (technique: 'full' | 'os') => engine.vps.convert(PROJECT, 'web', { technique });
      await done(engine, engine.vps.launch(PROJECT, request({ memory: '1G' })));
      world.memoryAvailable = GIB / 2;
      await assert.rejects(
        engine.vps.launch(PROJECT, request({ name: 'other', memory: '1G' })),
        failsWith('insufficient_memory'),
      );
      await done(engine, convert('full'));
      await done(engine, engine.vps.stop(PROJECT, 'web', FORCE));
      await assert.rejects(convert('os'), failsWith('insufficient_memory'));
    },
  );

  check('is refused where it cannot be', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const convert = (technique: 'os' | 'full' | 'kernel') =>
      engine.vps.convert(PROJECT, 'web', { technique });
    await assert.rejects(convert('os'), failsWith('wrong_state', /already/));
    await assert.rejects(convert('kernel'), failsWith('technique_unavailable'));
    world.pool.features.snapshots = false;
    await assert.rejects(convert('full'), failsWith('not_supported'));
  });
});
