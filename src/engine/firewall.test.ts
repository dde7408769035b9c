import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { check, done, failsWith, PROJECT, request } from '../../test/support/engine-world.ts';
import { FirewallRuleSchema, NewFirewallRuleSchema } from '../contract/firewall.ts';
import type { Engine } from './contract.ts';

const rule = (changes: Record<string, unknown> = {}) =>
  NewFirewallRuleSchema.parse({ direction: 'in', protocol: 'tcp', ports: ['80'], ...changes });
const launch = (engine: Engine, name: string) => done(engine, engine.vps.launch(PROJECT, request({ name })));
const create = (engine: Engine, name: string) => engine.firewall.create(PROJECT, { name, description: '' });

describe('firewall groups', () => {
  check('give the network their members, and rules whose peers are resolved', async (world, engine) => {
    await launch(engine, 'web');
    await launch(engine, 'db');
    await create(engine, 'front');
    await create(engine, 'back');
    await engine.firewall.join(PROJECT, 'front', 'web');
    await engine.firewall.join(PROJECT, 'back', 'db');
    await engine.firewall.addRule(PROJECT, 'back', rule({ peer: 'group:front', ports: ['5432'] }));
    await engine.firewall.addRule(PROJECT, 'back', rule({ peer: 'vps:web' }));
    const [front, back] = world.network.firewall;
    assert.equal(front?.members.length, 1);
    assert.deepEqual(
      back?.rules.map(({ peer }) => peer),
      [
        { kind: 'group', index: front.index },
        { kind: 'addresses', addresses: front.members[0]?.addresses },
      ],
    );
    assert.deepEqual((await engine.firewall.info(PROJECT, 'front')).members, ['web']);
  });

  check(
    'of the name default hold what is in no other, also what is launched later',
    async (world, engine) => {
      await launch(engine, 'web');
      await create(engine, 'default');
      await create(engine, 'front');
      await engine.firewall.join(PROJECT, 'front', 'web');
      await launch(engine, 'late');
      assert.deepEqual((await engine.firewall.info(PROJECT, 'default')).members, ['late']);
      assert.deepEqual(
        world.network.firewall.map(({ members }) => members.length),
        [1, 1],
      );
      await done(engine, engine.vps.delete(PROJECT, 'late', { force: true }));
      assert.deepEqual((await engine.firewall.info(PROJECT, 'default')).members, []);
      await assert.rejects(engine.firewall.join(PROJECT, 'default', 'web'), failsWith('invalid_request'));
    },
  );

  check('outlive a restart of the daemon', async (world, engine) => {
    await launch(engine, 'web');
    await create(engine, 'front');
    await engine.firewall.join(PROJECT, 'front', 'web');
    await engine.firewall.addRule(PROJECT, 'front', rule());
    const before = world.network.firewall;
    await engine.close();
    world.network.firewall = [];
    const again = await world.open();
    assert.deepEqual(world.network.firewall, before);
    await again.close();
  });

  check('hold the copies of their members too', async (world, engine) => {
    await launch(engine, 'web');
    for (const name of ['default', 'front', 'back']) await create(engine, name);
    await engine.firewall.join(PROJECT, 'front', 'web');
    await done(engine, engine.vps.copy(PROJECT, 'web', { name: 'twin', start: true }));
    assert.deepEqual((await engine.firewall.info(PROJECT, 'front')).members, ['twin', 'web']);
    const { id } = await engine.vps.info(PROJECT, 'twin');
    const guarded = world.network.firewall.map(({ members }) => members.some(({ vps }) => vps === id));
    assert.deepEqual(guarded, [false, true, false]);
    await engine.close();
    const again = await world.open();
    assert.deepEqual((await again.firewall.info(PROJECT, 'front')).members, ['twin', 'web']);
    await again.close();
  });

  check('are as they were when the host refuses a change', async (world, engine) => {
    await launch(engine, 'web');
    await create(engine, 'front');
    world.network.failFirewall = true;
    await assert.rejects(engine.firewall.join(PROJECT, 'front', 'web'));
    await assert.rejects(create(engine, 'back'));
    world.network.failFirewall = false;
    assert.deepEqual(
      (await engine.firewall.list(PROJECT)).map(({ name, members }) => [name, members]),
      [['front', []]],
    );
  });

  check('in use are not deleted, and what is not there is not named', async (_world, engine) => {
    await launch(engine, 'web');
    await create(engine, 'front');
    await create(engine, 'back');
    await assert.rejects(create(engine, 'back'), failsWith('already_exists'));
    await assert.rejects(engine.firewall.join(PROJECT, 'front', 'ghost'), failsWith('not_found'));
    await assert.rejects(
      engine.firewall.addRule(PROJECT, 'back', rule({ peer: 'group:ghost' })),
      failsWith('not_found'),
    );
    await engine.firewall.addRule(PROJECT, 'back', rule({ peer: 'group:front' }));
    await assert.rejects(engine.firewall.delete(PROJECT, 'front'), failsWith('in_use', /a rule of back/));
    await engine.firewall.removeRule(PROJECT, 'back', 1);
    await assert.rejects(engine.firewall.removeRule(PROJECT, 'back', 1), failsWith('not_found'));
    await engine.firewall.join(PROJECT, 'front', 'web');
    await assert.rejects(engine.firewall.delete(PROJECT, 'front'), failsWith('in_use', /the VPS web/));
    await engine.firewall.leave(PROJECT, 'front', 'web');
    await engine.firewall.delete(PROJECT, 'front');
    await engine.projects.create({ name: 'shop', description: '' });
    await engine.firewall.create('shop', { name: 'front', description: '' });
    await assert.rejects(engine.projects.delete('shop'), failsWith('in_use', /firewall group/));
    await assert.rejects(engine.firewall.join('shop', 'front', 'web'), failsWith('not_found'));
  });

  check('take no rule that says nothing sensible', async () => {
    const wrong = [
      { ports: ['0'] },
      { ports: ['90-80'] },
      { ports: ['65536'] },
      { ports: ['80; drop'] },
      { protocol: 'any' },
      { protocol: 'icmp' },
      { peer: '10.0.0.0/33' },
      { peer: 'group:' },
      { peer: 'group:a:b' },
      { peer: 'fe80::1%eth0' },
      { peer: '10.0.0.1 } accept' },
      { peer: '@members' },
      { direction: 'both' },
    ];
    for (const changes of wrong) {
      const { success } = NewFirewallRuleSchema.safeParse({
        direction: 'in',
        protocol: 'tcp',
        ports: ['80'],
        ...changes,
      });
      assert.equal(success, false, JSON.stringify(changes));
    }
    assert.deepEqual(FirewallRuleSchema.parse({ direction: 'out' }), {
      direction: 'out',
      action: 'accept',
      protocol: 'any',
      ports: [],
      peer: 'any',
    });
  });
});
