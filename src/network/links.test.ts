import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNaming } from '../core/naming.ts';
import type { NicSpec } from '../drivers/driver.ts';
import { dnsmasqOptions, leasesFile, namesFile } from './dnsmasq-options.ts';
import { configureGuest, createPair, raiseBridge, removeNeighbours, setNeighbours } from './links.ts';
import type { NetworkSpec } from './network.ts';
import { requireUnroutedSubnet } from './routes.ts';

const naming = { ...createNaming('/s', '/r'), instance: 'abcd' };
const network: NetworkSpec = {
  index: 31,
  name: 'lan',
  project: 'default',
  ipv4: { gateway: '10.78.4.1', prefix: 22 },
  ipv6: { gateway: 'fd00:0:0:7::1', prefix: 64 },
  domain: 'lan.internal',
};
const nic: NicSpec = {
  hostLink: 'mvabcd-1',
  guestLink: 'eth0',
  mac: '52:54:00:00:00:02',
  addresses: [
    { address: '10.78.4.2', prefix: 22, gateway: '10.78.4.1' },
    { address: 'fd00:0:0:7::2', prefix: 64, gateway: 'fd00:0:0:7::1' },
  ],
  nameservers: ['10.78.4.1'],
  domain: 'lan.internal',
};
const attachment = { vps: 'id', hostname: 'web', network, nic, forwards: [] };

test('a bridge is named by its number in hexadecimal and carries both gateways', () => {
  assert.deepEqual(raiseBridge(naming, network, true), [
    { type: 'setAddress', link: 'mbabcd-1f', address: '10.78.4.1', prefix: 22 },
    { type: 'setAddress', link: 'mbabcd-1f', address: 'fd00:0:0:7::1', prefix: 64 },
    { type: 'raise', link: 'mbabcd-1f' },
  ]);
});

test('the guest end of a pair is made in its namespace with its MAC', () => {
  assert.deepEqual(createPair(nic, 'mbabcd-1f', { pid: 42 }), [
    {
      type: 'addPair',
      link: 'mvabcd-1',
      bridge: 'mbabcd-1f',
      peer: 'eth0',
      mac: '52:54:00:00:00:02',
      place: { pid: 42 },
    },
    { type: 'reflect', link: 'mvabcd-1' },
  ]);
});

test('a guest gets its addresses, then a default route by each family, and is told where the gateway is', () => {
  const mac = '52:54:00:00:00:01';
  assert.deepEqual(configureGuest(nic, mac, true), [
    { type: 'raise', link: 'lo' },
    { type: 'setAddress', link: 'eth0', address: '10.78.4.2', prefix: 22 },
    { type: 'setAddress', link: 'eth0', address: 'fd00:0:0:7::2', prefix: 64 },
    { type: 'raise', link: 'eth0' },
    { type: 'setNeighbour', link: 'eth0', address: '10.78.4.1', mac },
    { type: 'setNeighbour', link: 'eth0', address: 'fd00:0:0:7::1', mac },
    { type: 'setDefaultRoute', link: 'eth0', gateway: '10.78.4.1' },
    { type: 'setDefaultRoute', link: 'eth0', gateway: 'fd00:0:0:7::1' },
  ]);
});

test('the host is told where each address of a VPS is, and told to forget the same ones', () => {
  const link = 'mbabcd-1f';
  const addresses = ['10.78.4.2', 'fd00:0:0:7::2', 'fe80::5054:ff:fe00:2'];
  assert.deepEqual(
    setNeighbours(naming, attachment, true),
    addresses.map((address) => ({ type: 'setNeighbour', link, address, mac: nic.mac })),
  );
  assert.deepEqual(
    removeNeighbours(naming, attachment, true),
    addresses.map((address) => ({ type: 'removeNeighbour', link, address })),
  );
});

test('without IPv6 on the host nothing of it is asked for', () => {
  const changes = [
    ...configureGuest(nic, '52:54:00:00:00:01', false),
    ...raiseBridge(naming, network, false),
    ...setNeighbours(naming, attachment, false),
    ...removeNeighbours(naming, attachment, false),
  ];
  assert.doesNotMatch(JSON.stringify(changes), /fd00|fe80/);
  assert.ok(
    dnsmasqOptions(network, 'mbabcd-1f', 'nobody', false).every((option) => !option.includes('fd00')),
  );
});

test('the name server knows its subnets by their first addresses', () => {
  const options = dnsmasqOptions(network, 'mbabcd-1f', 'nobody', true);
  for (const option of [
    '--user=nobody',
    '--interface=mbabcd-1f',
    '--except-interface=lo',
    '--dhcp-range=10.78.4.0,static,255.255.252.0,12h',
    '--dhcp-range=fd00:0:0:7::,static,64,12h',
    '--local=/lan.internal/',
  ]) {
    assert.ok(options.includes(option), option);
  }
});

test('a VPS is named fully first, so that its address resolves to the full name', () => {
  assert.equal(namesFile(attachment), '10.78.4.2 web.lan.internal web\nfd00:0:0:7::2 web.lan.internal web\n');
  assert.equal(leasesFile(attachment), '52:54:00:00:00:02,10.78.4.2,[fd00:0:0:7::2],web\n');
});

test('a subnet that a route of the host covers is refused, a default or wide route is not', () => {
  const route = (destination: number, prefix: number) => ({ link: 'lan0', destination, prefix });
  const base = 10 * 2 ** 24 + 78 * 2 ** 16;
  requireUnroutedSubnet(network, [route(0, 0), route(10 * 2 ** 24, 8), route(base + 8 * 256, 24)]);
  assert.throws(() => requireUnroutedSubnet(network, [route(base + 5 * 256, 24)]), /lan0/);
  assert.throws(() => requireUnroutedSubnet(network, [route(base, 16)]), /10\.78\.0\.0\/16/);
});
