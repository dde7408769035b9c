import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MullionError } from '../contract/errors.ts';
import {
  allocateAddress,
  chooseSubnet,
  DEFAULT_SUBNET,
  formatSubnet,
  ipv4Segment,
  ipv6Segment,
  overlaps,
  parseSubnet,
  requireUsableSubnet,
} from './addresses.ts';
import { formatIpv4 } from './ip.ts';

const codeOf =
  (code: string) =>
  (thrown: unknown): boolean =>
    thrown instanceof MullionError && thrown.code === code && thrown.remedy !== '';

const subnets = fc
  .tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 8, max: 30 }))
  .map(([base, prefix]) => formatSubnet(parseSubnet(`${formatIpv4(base)}/${prefix}`)));

test('a chosen subnet overlaps none that is taken and not the default one', () => {
  fc.assert(
    fc.property(fc.array(subnets, { maxLength: 20 }), fc.integer({ min: 0, max: 70_000 }), (taken, index) => {
      const blocked = taken.some(
        (text) => parseSubnet(text).prefix <= 8 && overlaps(parseSubnet(text), parseSubnet('10.0.0.0/8')),
      );
      fc.pre(!blocked);
      const chosen = chooseSubnet(taken, index);
      assert.ok(
        [...taken, DEFAULT_SUBNET].every((other) => !overlaps(parseSubnet(other), parseSubnet(chosen))),
      );
    }),
  );
});

test('subnets are chosen by number, and the next free one after that', () => {
  assert.equal(chooseSubnet([], 0), '10.78.0.0/24');
  assert.equal(chooseSubnet([], 3), '10.78.3.0/24');
  assert.equal(chooseSubnet(['10.78.0.0/16'], 3), '10.79.0.0/24');
  assert.equal(chooseSubnet(['10.255.255.0/25'], 45_567), '10.78.0.0/24');
});

test('when no subnet is left the error says what to do', () => {
  assert.throws(() => chooseSubnet(['10.0.0.0/8'], 1), codeOf('quota_exceeded'));
});

test('a subnet asked for must be private, of a useful size and free', () => {
  assert.equal(formatSubnet(requireUsableSubnet('192.168.7.9/24', ['10.77.0.0/24'])), '192.168.7.0/24');
  for (const text of [
    '8.8.8.0/24',
    '127.0.0.0/24',
    '224.0.0.0/24',
    '10.0.0.0/8',
    '10.1.1.0/31',
    '10.1.1.0',
    '10.1.1.0/33',
  ]) {
    assert.throws(() => requireUsableSubnet(text, []), codeOf('invalid_request'), text);
  }
  assert.throws(() => requireUsableSubnet('10.77.0.128/25', ['10.77.0.0/24']), codeOf('in_use'));
});

test('a unique local prefix is of fd00::/8, stable, and differs by seed and network', () => {
  const one = ipv6Segment('a', 0);
  assert.match(one.gateway, /^fd[0-9a-f]{2}:/);
  assert.equal(one.prefix, 64);
  assert.deepEqual(ipv6Segment('a', 0), one);
  assert.notEqual(ipv6Segment('a', 1).gateway, one.gateway);
  assert.notEqual(ipv6Segment('b', 0).gateway, one.gateway);
});

test('addresses come lowest first, and a freed one is given again', () => {
  const network = { ipv4: ipv4Segment('10.77.0.0/24'), ipv6: { gateway: 'fd00:0:0:1::1', prefix: 64 } };
  assert.deepEqual(allocateAddress(network, new Set()), { ipv4: '10.77.0.2', ipv6: 'fd00:0:0:1::2' });
  assert.deepEqual(allocateAddress(network, new Set(['10.77.0.2', '10.77.0.4'])), {
    ipv4: '10.77.0.3',
    ipv6: 'fd00:0:0:1::3',
  });
});

test('a subnet gives out each host address once, then refuses', () => {
  fc.assert(
    fc.property(fc.integer({ min: 24, max: 29 }), fc.integer({ min: 0, max: 100 }), (prefix, index) => {
      const subnet = parseSubnet(`10.90.${index}.0/${prefix}`);
      const network = { ipv4: ipv4Segment(formatSubnet(subnet)), ipv6: ipv6Segment('seed', index) };
      const taken = new Set<string>();
      const ipv6 = new Set<string>([network.ipv6.gateway]);
      const capacity = 2 ** (32 - prefix) - 3;
      for (let count = 0; count < capacity; count++) {
        const pair = allocateAddress(network, taken);
        assert.ok(!taken.has(pair.ipv4) && !ipv6.has(pair.ipv6));
        taken.add(pair.ipv4);
        ipv6.add(pair.ipv6);
      }
      const reserved = [subnet.base, subnet.base + 1, subnet.base + capacity + 2].map(formatIpv4);
      assert.ok(reserved.every((address) => !taken.has(address)));
      assert.throws(() => allocateAddress(network, taken), codeOf('quota_exceeded'));
    }),
    { numRuns: 20 },
  );
});
