import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import type { Forward } from '../../src/contract/vps.ts';
import { nullNetwork } from '../../src/network/null-network.ts';
import { networkConformance } from '../conformance/networks.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { HOST_OUTSIDE, must, NetworkWorld, OUTSIDE } from '../support/network-world.ts';
import { eventually } from '../support/scratch.ts';
import { ask, host, lookUp, pings, serve } from '../support/servers.ts';

const forward = (protocol: 'tcp' | 'udp', hostPort: number, vpsPort: number): Forward => ({
  protocol,
  hostPort,
  vpsPort,
});
const withCode = (code: string) => (thrown: unknown) =>
  thrown instanceof MullionError && thrown.code === code;

if (enterPrivateNetns(import.meta.url)) {
  for (const [name, choose] of [
    ['Linux network', (world: NetworkWorld) => world.backend],
    ['null network', () => nullNetwork],
  ] as const) {
    networkConformance(name, async () => {
      const world = new NetworkWorld();
      return {
        backend: choose(world),
        network: (index) => world.network(index),
        plan: (network, vps, forwards) => world.plan(network, vps, forwards),
        machine: async () => ({ kind: 'netns', pid: (await world.guest()).pid }),
        [Symbol.asyncDispose]: () => world[Symbol.asyncDispose](),
      };
    });
  }

  test('two VPSs of a network reach each other and their gateway, by both families', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [one, two] = [await world.join(lan, 'one'), await world.join(lan, 'two')];
    for (const address of [two.ipv4, two.ipv6, lan.ipv4.gateway, lan.ipv6.gateway]) {
      await eventually(`${address} answers`, () => pings(one.guest, address), 30_000);
    }
    assert.ok(await pings(host, one.ipv4), 'the host reaches its VPS');
  });

  test('a VPS is connected by a descriptor of its network before it is there', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const guest = await world.guest();
    const attachment = world.plan(lan, 'early');
    await world.backend.admit(attachment);
    const fd = openSync(`/proc/${guest.pid}/ns/net`, 'r');
    // Again, as after a daemon that was killed: what it had made gives way.
    for (const link of [{ fd }, { fd }, { pid: guest.pid }]) {
      await world.backend.connect(attachment, { kind: 'netns', ...link });
    }
    closeSync(fd);
    await eventually('the gateway answers', () => pings(guest, lan.ipv4.gateway), 30_000);
  });

  test('names resolve on their own network, short and full, as soon as a VPS is admitted', async () => {
    await using world = new NetworkWorld();
    const [lan, other] = [world.network(0), world.network(1)];
    const one = await world.join(lan, 'one');
    const two = await world.join(lan, 'two');
    const stranger = await world.join(other, 'stranger');
    for (const name of ['two', 'two.net0.internal']) {
      assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, name), [two.ipv4, two.ipv6].sort(), name);
    }
    assert.deepEqual(await lookUp(one.guest, lan.ipv6.gateway, 'two'), [two.ipv4, two.ipv6].sort());
    assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, 'stranger'), []);
    assert.deepEqual(await lookUp(stranger.guest, other.ipv4.gateway, 'two'), []);
    await world.backend.detach(two.attachment);
    assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, 'two'), []);
  });

  test('a VPS gets its own address by DHCP, even when it asks for another', async () => {
    await using world = new NetworkWorld();
    const { guest, ipv4 } = await world.join(world.network(0), 'one');
    const discover = [
      'busybox',
      'udhcpc',
      '-i',
      'eth0',
      '-n',
      '-q',
      '-f',
      '-t',
      '3',
      '-T',
      '1',
      '-s',
      '/bin/true',
    ];
    await must(guest.command(['ip', 'addr', 'flush', 'dev', 'eth0']));
    const { stdout, stderr } = await attempt(guest.command([...discover, '-r', '10.77.0.99']));
    assert.match(stderr + stdout, new RegExp(`lease of ${ipv4.replaceAll('.', '\\.')} obtained`));
  });

  test('the world sees the host, not the VPS', async () => {
    await using world = new NetworkWorld();
    const outside = await world.outside();
    const { guest } = await world.join(world.network(0), 'one');
    await using _web = await serve(outside, 'tcp', 7000, 'outside');
    assert.equal(
      await ask(guest, 'tcp', OUTSIDE.ipv4, 7000),
      'outside [0000:0000:0000:0000:0000:ffff:c000:0201]',
    );
    assert.equal(
      await ask(guest, 'tcp', OUTSIDE.ipv6, 7000),
      'outside [2001:0db8:0000:0000:0000:0000:0000:0001]',
    );
  });

  test('forwards lead to the VPS from the loopback, the outside, other VPSs and itself', async () => {
    await using world = new NetworkWorld();
    const outside = await world.outside();
    const lan = world.network(0);
    const forwards = [forward('tcp', 8080, 80), forward('udp', 8053, 53)];
    const { guest } = await world.join(lan, 'server', forwards);
    const neighbour = await world.join(lan, 'neighbour');
    await using _tcp = await serve(guest, 'tcp', 80, 'page');
    await using _udp = await serve(guest, 'udp', 53, 'datagram');
    const expectations = [
      ['the loopback', host, '127.0.0.1'],
      ["the host's own address", host, HOST_OUTSIDE.ipv4],
      ["the host's own IPv6 address", host, HOST_OUTSIDE.ipv6],
      ['outside', outside, HOST_OUTSIDE.ipv4],
      ['outside by IPv6', outside, HOST_OUTSIDE.ipv6],
      ['a neighbour', neighbour.guest, HOST_OUTSIDE.ipv4],
      ['a neighbour by IPv6', neighbour.guest, HOST_OUTSIDE.ipv6],
      ['a neighbour by the gateway', neighbour.guest, lan.ipv4.gateway],
      ['itself', guest, HOST_OUTSIDE.ipv4],
    ] as const;
    const check = async ([from, place, address]: (typeof expectations)[number]): Promise<void> => {
      assert.match((await ask(place, 'tcp', address, 8080)) ?? 'nothing', /^page /, `tcp from ${from}`);
      assert.match((await ask(place, 'udp', address, 8053)) ?? 'nothing', /^datagram /, `udp from ${from}`);
    };
    await Promise.all(expectations.map(check));
    assert.match(
      (await ask(outside, 'tcp', HOST_OUTSIDE.ipv4, 8080)) ?? '',
      /:c000:0202\]/,
      'sees its client',
    );
  });

  test('forwards can be replaced, and are gone when removed', async () => {
    await using world = new NetworkWorld();
    const { guest, attachment } = await world.join(world.network(0), 'server', [forward('tcp', 8080, 80)]);
    await using _one = await serve(guest, 'tcp', 80, 'one');
    await using _two = await serve(guest, 'tcp', 81, 'two');
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8080)) ?? '', /^one /);
    const forwards = [forward('tcp', 8080, 81), forward('tcp', 8081, 80)];
    await world.backend.setForwards({ ...attachment, forwards });
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8080)) ?? '', /^two /);
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8081)) ?? '', /^one /);
    await world.backend.setForwards({ ...attachment, forwards: [] });
    assert.equal(await ask(host, 'tcp', '127.0.0.1', 8080), undefined);
  });

  test('a host port is taken from no other VPS and from no process of the host', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const first = await world.join(lan, 'first', [forward('tcp', 8080, 80)]);
    const second = await world.join(lan, 'second');
    const taken = { ...second.attachment, forwards: [forward('tcp', 8080, 81)] };
    await assert.rejects(world.backend.setForwards(taken), withCode('in_use'));
    await using _page = await serve(first.guest, 'tcp', 80, 'first');
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8080)) ?? '', /^first /);
    await using _own = await serve(host, 'tcp', 9000, 'host');
    const hidden = { ...second.attachment, forwards: [forward('tcp', 9000, 81)] };
    await assert.rejects(world.backend.setForwards(hidden), withCode('in_use'));
    assert.match((await ask(host, 'tcp', '127.0.0.1', 9000)) ?? '', /^host /);
  });

  test('usage counts what went to the VPS and what came from it', async () => {
    await using world = new NetworkWorld();
    const { guest, attachment, ipv4 } = await world.join(world.network(0), 'one');
    const before = await world.backend.usage(attachment.nic.hostLink);
    await must(guest.command(['socat', '-u', '-', 'UDP4-SENDTO:10.77.0.200:9']), 'x'.repeat(1));
    await must(['socat', '-u', '-b', '1400', '-', `UDP4-SENDTO:${ipv4}:9`], 'x'.repeat(14_000));
    const after = await world.backend.usage(attachment.nic.hostLink);
    assert.ok(after.networkIn - before.networkIn >= 14_000, 'to the guest');
    assert.ok(after.networkOut - before.networkOut < 5_000, 'from the guest');
    assert.ok(after.networkOut > 0);
  });
}
