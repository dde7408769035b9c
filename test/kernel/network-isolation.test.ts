import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkLocalAddress } from '../../src/core/ip.ts';
import type { NetworkSpec } from '../../src/network/network.ts';
import {
  arpReply,
  BROADCAST,
  ethernet,
  neighbourAdvertisement,
  routerAdvertisement,
  udpFrame,
} from '../support/frames.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import {
  HOST_OUTSIDE,
  type Member,
  must,
  NetworkWorld,
  OUTSIDE,
  type Sender,
} from '../support/network-world.ts';
import { eventually } from '../support/scratch.ts';
import { ask, collect, host, lookUp, pings, serve } from '../support/servers.ts';

const SENDERS = [
  [
    'a container',
    (world: NetworkWorld, lan: NetworkSpec, name: string): Promise<Sender> => world.join(lan, name),
  ],
  [
    'a virtual machine',
    (world: NetworkWorld, lan: NetworkSpec, name: string) => world.joinMachine(lan, name),
  ],
] as const;

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS of one network reaches neither VPSs nor gateways of another', async () => {
    await using world = new NetworkWorld();
    const [mine, theirs] = [world.network(0), world.network(1)];
    const one = await world.join(mine, 'one');
    const other = await world.join(theirs, 'other');
    await using _page = await serve(other.guest, 'tcp', 80, 'secret');
    assert.match((await ask(host, 'tcp', other.ipv4, 80)) ?? '', /^secret /, 'the page is there');
    const targets = [other.ipv4, other.ipv6, theirs.ipv4.gateway, theirs.ipv6.gateway];
    await Promise.all(
      targets.map(async (address) => {
        assert.equal(await pings(one.guest, address), false, `ping ${address}`);
        assert.equal(await ask(one.guest, 'tcp', address, 80), undefined, `tcp ${address}`);
      }),
    );
  });

  test('a VPS reaches no service of the host except names and DHCP', async () => {
    await using world = new NetworkWorld();
    await world.outside();
    const lan = world.network(0);
    const { guest } = await world.join(lan, 'one');
    await using _tcp = await serve(host, 'tcp', 7100, 'host');
    await using _udp = await serve(host, 'udp', 7100, 'host');
    assert.match((await ask(host, 'tcp', '127.0.0.1', 7100)) ?? '', /^host /, 'the service is there');
    const addresses = [
      lan.ipv4.gateway,
      lan.ipv6.gateway,
      HOST_OUTSIDE.ipv4,
      HOST_OUTSIDE.ipv6,
      `${linkLocalAddress((await bridgeMac(world)) ?? '')}%eth0`,
    ];
    await Promise.all(
      addresses.map(async (address) => {
        assert.equal(await ask(guest, 'tcp', address, 7100), undefined, `tcp ${address}`);
        assert.equal(await ask(guest, 'udp', address, 7100), undefined, `udp ${address}`);
      }),
    );
    await must(
      guest.command([
        'ip',
        'route',
        'add',
        '127.0.0.2/32',
        'via',
        lan.ipv4.gateway,
        'dev',
        'eth0',
        'table',
        '99',
      ]),
    );
    await must(guest.command(['ip', 'rule', 'add', 'to', '127.0.0.2', 'lookup', '99', 'pref', '0']));
    await must(guest.command(['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/conf/eth0/route_localnet']));
    assert.equal(await ask(guest, 'tcp', '127.0.0.2', 7100), undefined, "the host's loopback");
  });

  test('frames with a loopback destination do not reach the host', async () => {
    await using world = new NetworkWorld();
    const one = await world.join(world.network(0), 'one');
    await using heard = await collect(host, 7200);
    const ends = { fromMac: one.mac, toMac: (await bridgeMac(world)) ?? '', from: one.ipv4 };
    await one.send([udpFrame({ ...ends, to: '127.0.0.1' }, { from: 9, to: 7200 }, 'loopback\n')]);
    await must(['socat', '-u', '-', 'UDP4-SENDTO:127.0.0.1:7200'], 'end\n');
    assert.deepEqual(await heard.until('end'), ['end']);
  });

  test('nobody outside reaches a VPS without a forward', async () => {
    await using world = new NetworkWorld();
    const outside = await world.outside();
    const { guest, ipv4, ipv6 } = await world.join(world.network(0), 'one');
    await must(outside.command(['ip', 'route', 'add', '10.77.0.0/24', 'via', HOST_OUTSIDE.ipv4]));
    await must(outside.command(['ip', 'route', 'add', 'fc00::/7', 'via', HOST_OUTSIDE.ipv6]));
    await using _page = await serve(guest, 'tcp', 80, 'page');
    assert.equal(await ask(outside, 'tcp', ipv4, 80), undefined);
    assert.equal(await ask(outside, 'tcp', ipv6, 80), undefined);
    assert.equal(await pings(outside, ipv4), false);
    assert.ok(await pings(guest, OUTSIDE.ipv4), 'while the VPS reaches the outside');
  });

  for (const [kind, join] of SENDERS) {
    test(`frames of ${kind} with a foreign MAC, IPv4 or IPv6 address are dropped`, async () => {
      await using world = new NetworkWorld();
      const lan = world.network(0);
      const [one, two, third] = [
        await join(world, lan, 'one'),
        await world.join(lan, 'two'),
        await world.join(lan, 'third'),
      ];
      await using heard = await collect(two.guest, 7300);
      const honest4 = { fromMac: one.mac, toMac: two.mac, from: one.ipv4, to: two.ipv4 };
      const honest6 = { ...honest4, from: one.ipv6, to: two.ipv6 };
      const ports = { from: 9, to: 7300 };
      const vlan = ethernet(
        two.mac,
        one.mac,
        0x8100,
        Buffer.concat([Buffer.from([0, 1]), udpFrame(honest4, ports, 'vlan\n').subarray(12)]),
      );
      await one.send([
        udpFrame(honest4, ports, 'honest4\n'),
        udpFrame({ ...honest4, fromMac: third.mac }, ports, 'mac\n'),
        udpFrame({ ...honest4, from: third.ipv4 }, ports, 'neighbour4\n'),
        udpFrame({ ...honest4, from: lan.ipv4.gateway }, ports, 'gateway4\n'),
        udpFrame({ ...honest4, from: '198.51.100.7' }, ports, 'world4\n'),
        udpFrame({ ...honest4, from: '0.0.0.0' }, ports, 'nobody4\n'),
        udpFrame(honest4, { from: 67, to: 7300 }, 'dhcp4\n'),
        udpFrame({ ...honest6, from: third.ipv6 }, ports, 'neighbour6\n'),
        udpFrame({ ...honest6, from: '2001:db8::7' }, ports, 'world6\n'),
        udpFrame({ ...honest6, from: linkLocalAddress(third.mac) }, ports, 'link6\n'),
        udpFrame(honest6, { from: 547, to: 7300 }, 'dhcp6\n'),
        vlan,
        udpFrame(honest6, ports, 'honest6\n'),
      ]);
      assert.deepEqual(await heard.until('honest6'), ['honest4', 'honest6']);
    });

    test(`${kind} cannot claim the address of another or of the gateway`, async () => {
      await using world = new NetworkWorld();
      const lan = world.network(0);
      const [liar, victim, third] = [
        await join(world, lan, 'liar'),
        await world.join(lan, 'victim'),
        await world.join(lan, 'third'),
      ];
      for (const address of [third.ipv4, lan.ipv4.gateway, third.ipv6, lan.ipv6.gateway]) {
        await eventually('the victim knows its neighbours', () => pings(victim.guest, address), 30_000);
      }
      const before = await neighbours(victim);
      const ends = { fromMac: liar.mac, toMac: victim.mac, from: liar.ipv4, to: victim.ipv4 };
      const ends6 = { ...ends, from: liar.ipv6, to: victim.ipv6 };
      const linkLocal = linkLocalAddress(liar.mac);
      await liar.send([
        arpReply({ ...ends, from: third.ipv4 }, liar.mac),
        arpReply({ ...ends, from: lan.ipv4.gateway }, liar.mac),
        arpReply(ends, third.mac),
        neighbourAdvertisement(ends6, third.ipv6),
        neighbourAdvertisement({ ...ends6, from: third.ipv6 }, third.ipv6),
        neighbourAdvertisement({ ...ends6, from: linkLocal }, lan.ipv6.gateway),
        routerAdvertisement({ ...ends6, from: linkLocal, to: 'ff02::1', toMac: '33:33:00:00:00:01' }),
        routerAdvertisement({ ...ends6, from: linkLocal, to: 'ff02::1', toMac: '33:33:00:00:00:01' }, true),
      ]);
      assert.deepEqual(await neighbours(victim), before);
      assert.doesNotMatch(await must(victim.guest.command(['ip', '-6', 'route'])), new RegExp(linkLocal));
    });

    test(`frames of ${kind} reach no other network, by whatever gateway`, async () => {
      await using world = new NetworkWorld();
      const [mine, theirs] = [world.network(0), world.network(1)];
      const one = await join(world, mine, 'one');
      const two = await world.join(mine, 'two');
      const other = await world.join(theirs, 'other');
      const [near, far] = [(await bridgeMac(world)) ?? '', (await bridgeMac(world, 1)) ?? ''];
      assert.notEqual(near, far);
      await using heard = await collect(other.guest, 7500);
      await using heardBeside = await collect(two.guest, 7500);
      const ports = { from: 9, to: 7500 };
      const to = (toMac: string, from: string, target: string): Buffer =>
        udpFrame({ fromMac: one.mac, toMac, from, to: target }, ports, `${toMac} ${target}\n`);
      await one.send([
        ...[near, far, other.mac].flatMap((mac) => [
          to(mac, one.ipv4, other.ipv4),
          to(mac, one.ipv6, other.ipv6),
        ]),
        to(two.mac, one.ipv4, two.ipv4),
      ]);
      assert.deepEqual(await heardBeside.until(`${two.mac} ${two.ipv4}`), [`${two.mac} ${two.ipv4}`]);
      await must(['socat', '-u', '-', `UDP4-SENDTO:${other.ipv4}:7500`], 'end\n');
      assert.deepEqual(await heard.until('end'), ['end']);
    });
  }

  test('a false neighbour advertisement works where no rule stands in its way', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [liar, victim, third] = [
      await world.join(lan, 'liar'),
      await world.join(lan, 'victim'),
      await world.join(lan, 'third'),
    ];
    for (const address of [third.ipv6, third.ipv4])
      await eventually('the victim knows its neighbour', () => pings(victim.guest, address), 30_000);
    await must(['nft', 'flush', 'table', 'bridge', `mullion_${world.naming.instance}`]);
    const ends = { fromMac: liar.mac, toMac: victim.mac, from: liar.ipv6, to: victim.ipv6 };
    await liar.send([
      neighbourAdvertisement(ends, third.ipv6),
      routerAdvertisement({
        ...ends,
        from: linkLocalAddress(liar.mac),
        to: 'ff02::1',
        toMac: '33:33:00:00:00:01',
      }),
    ]);
    await eventually(
      'the frames above are well made',
      async () => new RegExp(`${third.ipv6} \\S+ ${liar.mac}`).test(await neighbours(victim)),
      30_000,
    );
    const everyone = { to: 'ff02::1', toMac: '33:33:00:00:00:01' };
    const fromThird = { ...ends, fromMac: third.mac, from: linkLocalAddress(third.mac), ...everyone };
    await third.send([routerAdvertisement(fromThird, true)]);
    for (const { mac } of [liar, third]) {
      const route = new RegExp(linkLocalAddress(mac));
      await eventually(
        'the false router is believed',
        async () => route.test(await must(victim.guest.command(['ip', '-6', 'route']))),
        30_000,
      );
    }
  });

  test('a VPS that changes its MAC or address is cut off until it changes back', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [one, two] = [await world.join(lan, 'one'), await world.join(lan, 'two')];
    const set = (mac: string): Promise<string> =>
      must(one.guest.command(['ip', 'link', 'set', 'eth0', 'address', mac]));
    await set('52:54:00:00:00:99');
    assert.equal(await pings(one.guest, two.ipv4), false);
    await set(one.mac);
    assert.ok(await pings(one.guest, two.ipv4));
    await must(one.guest.command(['ip', 'addr', 'add', '10.77.0.200/24', 'dev', 'eth0']));
    const foreign = ['busybox', 'ping', '-c1', '-W1', '-I', '10.77.0.200', two.ipv4];
    assert.notEqual((await attempt(one.guest.command(foreign))).code, 0);
  });

  test('a frame to everyone whose packet is for one reaches nobody, not even the name server', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [one, other] = [await world.join(lan, 'one'), await world.join(lan, 'other')];
    await using _page = await serve(other.guest, 'udp', 7100, 'other');
    const foreign = async (): Promise<number> =>
      (await world.backend.firewallCounts()).get('foreign')?.packets ?? 0;
    const answers = async (): Promise<readonly boolean[]> => [
      await pings(one.guest, lan.ipv4.gateway),
      (await ask(one.guest, 'udp', other.ipv4, 7100)) !== undefined,
      (await lookUp(one.guest, lan.ipv4.gateway, 'other')).length > 0,
    ];
    const mac = (await bridgeMac(world)) ?? '';
    const setMacs = async (gateway: string, neighbour: string): Promise<void> => {
      for (const [address, lladdr] of [
        [lan.ipv4.gateway, gateway],
        [other.ipv4, neighbour],
      ] as const) {
        const to = [address, 'lladdr', lladdr, 'dev', 'eth0', 'nud', 'permanent'];
        await must(one.guest.command(['ip', 'neigh', 'replace', ...to]));
      }
    };
    assert.deepEqual(await answers(), [true, true, true]);
    const before = await foreign();
    await setMacs('ff:ff:ff:ff:ff:ff', 'ff:ff:ff:ff:ff:ff');
    assert.deepEqual(await answers(), [false, false, false]);
    assert.ok((await foreign()) > before);
    await setMacs(mac, other.mac);
    assert.deepEqual(await answers(), [true, true, true]);
  });

  test('a broadcast is not reflected to its sender', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [one, two] = [await world.join(lan, 'one'), await world.join(lan, 'two')];
    await using back = await collect(one.guest, 7400);
    await using heard = await collect(two.guest, 7400);
    const ends = { fromMac: one.mac, toMac: BROADCAST, from: one.ipv4, to: '10.77.0.255' };
    await one.send([udpFrame(ends, { from: 9, to: 7400 }, 'all\n')]);
    assert.deepEqual(await heard.until('all'), ['all']);
    await must(two.guest.command(['socat', '-u', '-', `UDP4-SENDTO:${one.ipv4}:7400`]), 'end\n');
    assert.deepEqual(await back.until('end'), ['end']);
  });
}

async function bridgeMac(world: NetworkWorld, index = 0): Promise<string | undefined> {
  const links = await must(['ip', '-br', 'link']);
  return new RegExp(`^mb${world.naming.instance}-${index} +\\S+ +(\\S+)`, 'm').exec(links)?.[1];
}

/** Addresses and MACs that a VPS knows, without the ever changing states. */
async function neighbours({ guest }: Member): Promise<string> {
  const text = await must(guest.command(['ip', 'neigh', 'show', 'dev', 'eth0']));
  return text
    .split('\n')
    .filter((line) => !line.startsWith('fe80'))
    .map((line) => line.split(' ').slice(0, 3).join(' '))
    .sort()
    .join('\n');
}
