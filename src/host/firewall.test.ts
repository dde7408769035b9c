import assert from 'node:assert/strict';
import { test } from 'node:test';
import { droppingChainsOf, droppingLegacyChains, letPass } from './firewall.ts';

const PREFIX = 'mb1a2b-';
const chain = (more: object) => ({
  chain: { family: 'ip', table: 'filter', name: 'FORWARD', hook: 'forward', type: 'filter', ...more },
});
const rule = (...expr: object[]) => ({ rule: { family: 'ip', table: 'filter', chain: 'FORWARD', expr } });
const match = (key: string, right: unknown) => ({ match: { op: '==', left: { meta: { key } }, right } });
const read = (...nftables: object[]) => droppingChainsOf(JSON.stringify({ nftables }), PREFIX);

test('a firewall that drops what it forwards is found by its policy or its last rule', () => {
  assert.equal(read(chain({ policy: 'accept' })).length, 0);
  assert.equal(read(chain({ policy: 'drop' })).length, 1);
  assert.equal(read(chain({ policy: 'accept' }), rule({ counter: null }, { reject: null })).length, 1);
  assert.equal(read(chain({ policy: 'accept' }), rule(match('iifname', 'eth0'), { drop: null })).length, 0);
  assert.equal(read(chain({ policy: 'drop', hook: 'input' })).length, 0);
});

test('it is no trouble once it accepts our links both ways', () => {
  const way = (key: string, name: unknown) => rule(match(key, name), { counter: {} }, { accept: null });
  const drop = chain({ policy: 'drop' });
  assert.equal(read(drop, way('iifname', 'mb1a2b-*')).length, 1);
  assert.equal(read(drop, way('iifname', 'mb1a2b-*'), way('oifname', 'mb*')).length, 0);
  assert.equal(read(drop, way('iifname', 'mbffff-*'), way('oifname', 'mbffff-*')).length, 1);
});

test("iptables-legacy's rules are read, and Docker's chain is used where it is", () => {
  const found = droppingLegacyChains('-P FORWARD DROP\n-N DOCKER-USER\n', 'ip', PREFIX);
  assert.deepEqual(
    found.flatMap((one) => letPass(one, PREFIX)),
    [
      'iptables-legacy -I DOCKER-USER -i mb1a2b-+ -j ACCEPT',
      'iptables-legacy -I DOCKER-USER -o mb1a2b-+ -j ACCEPT',
    ],
  );
  const open = '-P FORWARD DROP\n-A FORWARD -i mb+ -j ACCEPT\n-A FORWARD -o mb+ -j ACCEPT\n';
  assert.deepEqual(droppingLegacyChains(open, 'ip', PREFIX), []);
  assert.deepEqual(droppingLegacyChains('-P FORWARD ACCEPT\n', 'ip', PREFIX), []);
});
