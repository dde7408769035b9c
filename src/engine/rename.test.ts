import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
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

describe('a rename', () => {
  check('holds at once, here and in the guest, and frees the old name', async (world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    const { id } = await engine.vps.info(PROJECT, 'web');
    const task = await done(engine, engine.vps.rename(PROJECT, 'web', 'shop'));
    assert.match(task.warnings.join(), /mullion restart shop/);
    assert.equal((await engine.vps.info(PROJECT, 'shop')).id, id);
    await assert.rejects(engine.vps.info(PROJECT, 'web'), failsWith('not_found'));
    assert.deepEqual(
      (await world.store.list('claim/name/')).map(({ key }) => key),
      ['claim/name/default/shop'],
    );
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.restart(PROJECT, 'shop', STOP));
    assert.ok(readFileSync(join(world.pool.volumePath(id), 'upper/etc/hostname'), 'utf8').length > 0);
  });

  check('is refused for a name that is taken', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request()));
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'shop', start: false })));
    await assert.rejects(engine.vps.rename(PROJECT, 'web', 'shop'), failsWith('already_exists'));
    await assert.rejects(engine.vps.rename(PROJECT, 'no', 'shop'), failsWith('not_found'));
  });

  check('of two at one time, one wins', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request({ start: false })));
    await done(engine, engine.vps.launch(PROJECT, request({ name: 'wiki', start: false })));
    const tasks = await Promise.all([
      engine.vps.rename(PROJECT, 'web', 'shop'),
      engine.vps.rename(PROJECT, 'wiki', 'shop'),
    ]);
    const states = await Promise.all(tasks.map(async (task) => (await ended(engine, task)).state));
    assert.deepEqual(states.sort(), ['done', 'failed']);
  });

  check('does not wait for a guest that takes no commands', async (_world, engine) => {
    await done(engine, engine.vps.launch(PROJECT, request(fault('exec-fails'))));
    const task = await done(engine, engine.vps.rename(PROJECT, 'web', 'shop'));
    assert.match(task.warnings.join(), /old host name until: mullion restart shop/);
  });
});

describe('a host that was restarted', () => {
  test('brings back what ran and what is marked, and not what is to stay', async () => {
    using world = new World();
    const first = await world.open();
    const launch = async (name: string, more: Parameters<typeof request>[0]): Promise<unknown> =>
      done(first, first.vps.launch(PROJECT, request({ name, ...more })));
    await launch('ran', {});
    await launch('rested', { start: false });
    await launch('marked', { start: false, autostart: 'always' });
    await launch('never', { autostart: 'never' });
    await first.close();
    const again = await world.open();
    assert.equal((await again.vps.info(PROJECT, 'marked')).state, 'stopped');
    await again.close();
    world.bootId = 'boot-2';
    const second = await world.open();
    for (const task of await second.tasks.list(PROJECT)) await ended(second, task);
    const states = (await second.vps.list(PROJECT)).map(({ name, state }) => [name, state]);
    assert.deepEqual(states, [
      ['marked', 'running'],
      ['never', 'stopped'],
      ['ran', 'running'],
      ['rested', 'stopped'],
    ]);
    await done(second, second.vps.set(PROJECT, 'ran', { autostart: 'never' }));
    assert.equal((await second.vps.info(PROJECT, 'ran')).autostart, 'never');
    await second.close();
  });
});
