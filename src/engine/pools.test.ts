import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { check, done, PROJECT, request } from '../../test/support/engine-world.ts';
import { GIB } from '../contract/sizes.ts';

describe('a pool', () => {
  check(
    'tells of damage that a check found and repaired, and of none where there was none',
    async (world, engine) => {
      assert.deepEqual((await done(engine, engine.pools.check('default'))).warnings, []);
      world.pool.repaired = 3;
      const { warnings } = await done(engine, engine.pools.check('default'));
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /^3 damaged blocks were found, and repaired from the second copy/);
    },
  );

  check(
    'tells who holds what: VPSs, their snapshots, images with their parts, and templates',
    async (world, engine) => {
      const vps = { technique: 'full' as const, disk: 2 * GIB, warm: true };
      await done(engine, engine.vps.launch(PROJECT, request(vps)));
      const { id } = await engine.vps.info(PROJECT, 'web');
      await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
      const building = (await engine.tasks.list(PROJECT)).find(({ kind }) => kind === 'template.build');
      assert.ok(building !== undefined);
      await done(engine, building);
      const template = (await world.pool.listVolumes()).find((volume) => volume !== id) ?? '';
      const [image] = world.images.records;
      world.pool.measure = async () => ({
        volumes: [
          { id, total: 100, exclusive: 40 },
          { id: template, total: 70, exclusive: 60 },
          { id: 'a-stranger', total: 9, exclusive: 9 },
        ],
        snapshots: [{ id, total: 80, exclusive: 20 }],
        images: [
          { id: image?.id ?? '', total: 500, exclusive: 450 },
          { id: `${image?.id}.disk`, total: 300, exclusive: 200 },
        ],
      });
      const rows = await engine.pools.usage('default');
      const parts = rows.map((row) => [
        row.kind,
        row.name,
        row.used,
        row.exclusive,
        row.shared,
        row.snapshots,
      ]);
      assert.deepEqual(parts, [
        ['vps', 'web', 100, 40, 60, 1],
        ['snapshots', 'web', 80, 20, 60, 1],
        ['image', 'debian/12', 800, 650, 150, 0],
        ['template', 'debian/12', 70, 60, 10, 0],
      ]);
    },
  );
});
