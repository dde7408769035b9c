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
  STOP,
  type World,
} from '../../test/support/engine-world.ts';
import { CopyRequestSchema } from '../contract/snapshots.ts';
import type { Engine } from './engine.ts';

const file = async (world: World, engine: Engine, name = 'web'): Promise<string> =>
  join(world.pool.volumePath((await engine.vps.info(PROJECT, name)).id), 'upper/root/data');
const copyTo = (name: string, more = {}) => CopyRequestSchema.parse({ name, ...more });

describe('snapshots', () => {
  check('keep what was, say what they are worth, and bring it back', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const data = await file(world, engine);
    writeFileSync(data, 'good');
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 'before' }));
    writeFileSync(data, 'bad');
    const [before] = await engine.snapshots.list(PROJECT, 'web');
    assert.equal(before?.consistency, 'file-system');
    const started = (await engine.vps.info(PROJECT, 'web')).startedAt;
    const restored = await done(engine, engine.snapshots.restore(PROJECT, 'web', 'before'));
    assert.equal(readFileSync(data, 'utf8'), 'good');
    const web = await engine.vps.info(PROJECT, 'web');
    assert.equal(web.state, 'running');
    assert.ok((web.startedAt ?? '') >= (started ?? ''));
    assert.match(JSON.stringify(restored.progress), /go back to the snapshot before/);
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await done(engine, engine.snapshots.create(PROJECT, 'web', {}));
    assert.deepEqual(
      (await engine.vps.info(PROJECT, 'web')).snapshots.map(({ name, consistency }) => [name, consistency]),
      [
        ['before', 'file-system'],
        ['snap1', 'clean'],
      ],
    );
    await done(engine, engine.snapshots.restore(PROJECT, 'web', 'before'));
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'stopped');
    await done(engine, engine.snapshots.delete(PROJECT, 'web', 'before'));
    assert.equal((await engine.vps.list(PROJECT))[0]?.snapshotCount, 1);
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: false }));
    assert.deepEqual(await world.holdings(), NOTHING);
  });

  check('are refused by name, by state and by pool', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    await assert.rejects(
      engine.snapshots.create(PROJECT, 'web', { name: 's1' }),
      failsWith('already_exists', /snapshot delete web s1/),
    );
    await assert.rejects(
      engine.snapshots.restore(PROJECT, 'web', 's2'),
      failsWith('not_found', /snapshot list/),
    );
    await assert.rejects(engine.snapshots.delete(PROJECT, 'web', 's2'), failsWith('not_found'));
    world.pool.features.snapshots = false;
    await assert.rejects(
      engine.snapshots.create(PROJECT, 'web', {}),
      failsWith('not_supported', /mullion pool info/),
    );
    await assert.rejects(
      engine.vps.copy(PROJECT, 'web', copyTo('twin')),
      failsWith('wrong_state', /mullion stop web/),
    );
    await done(engine, engine.vps.stop(PROJECT, 'web', STOP));
    await done(engine, engine.vps.copy(PROJECT, 'web', copyTo('twin')));
  });

  for (const [what, text] of [
    ['refuses to come to rest', 'freeze-fails'],
    ['never answers', 'freeze-hangs'],
    ['lies about it', 'freeze-lies'],
  ] as const) {
    check(
      `of a guest that ${what} are as after a power failure, and are made all the same`,
      async (_world, engine) => {
        await done(engine, engine.vps.launch(PROJECT, request(fault(text))));
        await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
        assert.equal((await engine.snapshots.list(PROJECT, 'web'))[0]?.consistency, 'crash');
        assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
      },
    );
  }

  check('that fail leave the VPS as it was', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const original = world.pool.createSnapshot;
    world.pool.createSnapshot = async () => {
      throw new Error('no room today');
    };
    const failed = await ended(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    assert.equal(failed.state, 'failed');
    assert.deepEqual(await engine.snapshots.list(PROJECT, 'web'), []);
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'running');
    world.pool.createSnapshot = original;
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    world.pool.restoreSnapshot = async () => {
      throw new Error('no room today');
    };
    assert.equal((await ended(engine, engine.snapshots.restore(PROJECT, 'web', 's1'))).state, 'failed');
    assert.equal((await engine.vps.info(PROJECT, 'web')).state, 'stopped');
    await done(engine, engine.vps.start(PROJECT, 'web'));
    await done(engine, engine.vps.restart(PROJECT, 'web', STOP));
  });

  check('asked for at one time are made one after another, each once', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('slow:20'))));
    const tasks = await Promise.all([
      engine.snapshots.create(PROJECT, 'web', { name: 's1' }),
      engine.snapshots.create(PROJECT, 'web', { name: 's1' }),
      engine.snapshots.create(PROJECT, 'web', {}),
      engine.vps.stop(PROJECT, 'web', STOP),
      engine.snapshots.create(PROJECT, 'web', {}),
    ]);
    const ends = await Promise.all(tasks.map((task) => ended(engine, task)));
    assert.deepEqual(
      ends.map(({ state, error }) => error?.code ?? state),
      ['done', 'already_exists', 'done', 'done', 'done'],
    );
    assert.deepEqual(
      (await engine.snapshots.list(PROJECT, 'web')).map(({ name, consistency }) => [name, consistency]),
      [
        ['s1', 'file-system'],
        ['snap1', 'file-system'],
        ['snap2', 'clean'],
      ],
    );
  });
});

describe('a copy', () => {
  check('is a VPS of its own with the data and limits of the source', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ memory: 64 * 2 ** 20, env: { A: 'b' } })));
    await engine.forwards.add(PROJECT, 'web', { protocol: 'tcp', hostPort: 8080, vpsPort: 80 });
    writeFileSync(await file(world, engine), 'one');
    await done(engine, engine.snapshots.create(PROJECT, 'web', { name: 's1' }));
    writeFileSync(await file(world, engine), 'two');
    await done(engine, engine.vps.copy(PROJECT, 'web', copyTo('twin', { start: true })));
    await done(engine, engine.vps.copy(PROJECT, 'web', copyTo('old', { snapshot: 's1' })));
    const [web, twin, old] = await Promise.all(
      ['web', 'twin', 'old'].map((name) => engine.vps.info(PROJECT, name)),
    );
    assert.ok(web !== undefined && twin !== undefined && old !== undefined);
    assert.equal(readFileSync(await file(world, engine, 'twin'), 'utf8'), 'two');
    assert.equal(readFileSync(await file(world, engine, 'old'), 'utf8'), 'one');
    assert.deepEqual([twin.state, old.state], ['running', 'stopped']);
    assert.deepEqual(twin.limits, web.limits);
    assert.deepEqual([twin.forwards, twin.snapshots, old.snapshots], [[], [], []]);
    for (const property of ['id', 'mac'] as const) {
      assert.equal(new Set([web[property], twin[property], old[property]]).size, 3, property);
    }
    assert.equal(new Set([web, twin, old].flatMap(({ addresses }) => addresses)).size, 6);
    await done(engine, engine.vps.delete(PROJECT, 'web', { force: true }));
    assert.equal(readFileSync(await file(world, engine, 'old'), 'utf8'), 'one');
  });

  check('is refused for a name that is taken, and for what is not there', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await assert.rejects(engine.vps.copy(PROJECT, 'web', copyTo('web')), failsWith('already_exists'));
    await assert.rejects(engine.vps.copy(PROJECT, 'no', copyTo('twin')), failsWith('not_found'));
    await assert.rejects(
      engine.vps.copy(PROJECT, 'web', copyTo('twin', { snapshot: 's1' })),
      failsWith('not_found', /snapshot list web/),
    );
  });

  check('that fails leaves nothing', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    world.pool.cloneVolume = async () => {
      throw new Error('no room today');
    };
    assert.equal((await ended(engine, engine.vps.copy(PROJECT, 'web', copyTo('twin')))).state, 'failed');
    assert.deepEqual(
      (await engine.vps.list(PROJECT)).map(({ name }) => name),
      ['web'],
    );
    assert.equal((await world.holdings()).volumes.length, 1);
  });
});
