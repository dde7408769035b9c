import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterOf, legacyFilters } from './other-filters.ts';

const chain = (table: string, name: string, more: object = {}) => ({
  chain: { family: 'inet', table, name, ...more },
});
const rule = (table: string, ...expr: object[]) => ({
  rule: { family: 'inet', table, chain: 'any', expr },
});
const find = (...nftables: object[]) => filterOf(JSON.stringify({ nftables }), 'mullion_');

test('a chain that drops what it has not accepted filters, and one whose table refuses anything', () => {
  const forward = { hook: 'forward', type: 'filter', policy: 'drop' };
  assert.equal(find(chain('ufw', 'forward', forward)), 'inet ufw forward');
  const output = { hook: 'output', type: 'filter', policy: 'accept' };
  assert.equal(find(chain('mine', 'out', output), rule('mine', { drop: null })), 'inet mine out');
  assert.equal(find(chain('mine', 'out', output), rule('other', { drop: null })), undefined);
});

test('our own tables, what only accepts, and what comes for the host itself do not', () => {
  const forward = { hook: 'forward', type: 'filter', policy: 'drop' };
  assert.equal(find(chain('mullion_abcd', 'forward', forward)), undefined);
  assert.equal(
    find(chain('mine', 'forward', { ...forward, policy: 'accept' }), rule('mine', { accept: null })),
    undefined,
  );
  assert.equal(find(chain('mine', 'input', { ...forward, hook: 'input' })), undefined);
  assert.equal(find(chain('mine', 'jumped')), undefined);
});

test('rules of iptables-legacy filter where they drop or reject anything but what is for the host', () => {
  assert.equal(legacyFilters('-P INPUT DROP\n-P FORWARD ACCEPT\n-A INPUT -i eth0 -j DROP\n'), false);
  assert.equal(legacyFilters('-P INPUT ACCEPT\n-P FORWARD DROP\n'), true);
  assert.equal(
    legacyFilters('-P OUTPUT ACCEPT\n-A PREROUTING -m conntrack --ctstate INVALID -j DROP\n'),
    true,
  );
  assert.equal(legacyFilters('-A FORWARD -j REJECT --reject-with icmp-port-unreachable\n'), true);
});
