import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FirewallRule } from '../../src/contract/firewall.ts';
import { dropCounterName, ruleCounterName } from '../../src/core/firewall-counters.ts';
import type { FirewallGroupSpec, FirewallPeer } from '../../src/network/network.ts';
import { BROADCAST, udpFrame } from '../support/frames.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { HOST_OUTSIDE, type Member, must, NetworkWorld, OUTSIDE } from '../support/network-world.ts';
import { ask, collect, pings, serve } from '../support/servers.ts';

type Rule = FirewallGroupSpec['rules'][number];

const addresses = (...list: string[]): FirewallPeer => ({ kind: 'addresses', addresses: list });

function rule(direction: 'in' | 'out', changes: Partial<Omit<Rule, 'direction'>> = {}): Rule {
  const plain: FirewallRule = { direction, action: 'accept', protocol: 'tcp', ports: ['80'], peer: 'any' };
  const whole = { ...plain, peer: { kind: 'any' } as const, ...changes };
  const text = { ...plain, ...changes, peer: JSON.stringify(whole.peer) };
  return { ...whole, counter: ruleCounterName(1, text) };
}

const group = (index: number, members: readonly Member[], rules: readonly Rule[]): FirewallGroupSpec => ({
  index,
  rules,
  members: members.map(({ attachment: { vps, nic } }) => ({
    vps: vps.replaceAll('-', ''),
    hostLink: nic.hostLink,
    addresses: nic.addresses.map(({ address }) => address),
  })),
});

/** Whether the page of a member answers, over both families. */
async function opens(from: Member, to: Member, port = 80): Promise<string> {
  const answers = await Promise.all(
    [to.ipv4, to.ipv6].map((address) => ask(from.guest, 'tcp', address, port)),
  );
  return answers.map((answer) => (answer === undefined ? 'shut' : 'open')).join(' ');
}

if (enterPrivateNetns(import.meta.url)) {
  test('a member of a group gets what its rules accept, from whom they name, and nothing else', async (t) => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const web = await world.join(lan, 'web', [{ protocol: 'tcp', hostPort: 8080, vpsPort: 80 }]);
    const [friend, stranger] = [await world.join(lan, 'friend'), await world.join(lan, 'stranger')];
    const outside = await world.outside();
    await using _page = await serve(web.guest, 'tcp', 80, 'page');
    await using _other = await serve(web.guest, 'tcp', 81, 'other');
    await using _page2 = await serve(friend.guest, 'tcp', 80, 'page');
    const forwarded = () => ask(outside, 'tcp', HOST_OUTSIDE.ipv4, 8080);
    const { backend } = world;
    const set = (...spec: FirewallGroupSpec[]) => backend.setFirewall(spec);

    await t.test('without groups, neighbours reach each other', async () => {
      assert.equal(await opens(stranger, web), 'open open');
      assert.ok(await forwarded());
    });
    await t.test('a group without rules lets nothing in, and everything out with its answers', async () => {
      await set(group(1, [web], []));
      assert.equal(await opens(stranger, web), 'shut shut');
      assert.equal(await pings(stranger.guest, web.ipv4), false);
      assert.equal(await pings(stranger.guest, web.ipv6), false);
      assert.equal(await forwarded(), undefined, 'a forward is no way around');
      assert.equal(await opens(web, friend), 'open open');
      assert.ok(await pings(web.guest, OUTSIDE.ipv4));
      assert.ok(await pings(web.guest, lan.ipv4.gateway));
    });
    await t.test('a port for everyone', async () => {
      await set(group(1, [web], [rule('in')]));
      assert.equal(await opens(stranger, web), 'open open');
      assert.equal(await opens(stranger, web, 81), 'shut shut');
      assert.ok(await forwarded());
    });
    await t.test('a range, ports that overlap, and another protocol', async () => {
      await set(group(1, [web], [rule('in', { ports: ['81-90', '85', '90-91'] })]));
      assert.equal(await opens(stranger, web), 'shut shut');
      assert.equal(await opens(stranger, web, 81), 'open open');
      await set(group(1, [web], [rule('in', { protocol: 'udp' })]));
      assert.equal(await opens(stranger, web), 'shut shut');
      await set(group(1, [web], [rule('in', { protocol: 'icmp', ports: [] })]));
      assert.ok(await pings(stranger.guest, web.ipv4));
      assert.ok(await pings(stranger.guest, web.ipv6));
      assert.equal(await opens(stranger, web), 'shut shut');
    });
    await t.test('a peer by address, by subnet and by group', async () => {
      await set(group(1, [web], [rule('in', { peer: addresses(friend.ipv4, friend.ipv6) })]));
      assert.deepEqual([await opens(friend, web), await opens(stranger, web)], ['open open', 'shut shut']);
      await set(group(1, [web], [rule('in', { peer: addresses('192.0.2.0/24') })]));
      assert.deepEqual([await opens(friend, web), (await forwarded()) !== undefined], ['shut shut', true]);
      await set(
        group(1, [web], [rule('in', { peer: { kind: 'group', index: 2 } })]),
        group(2, [friend], [rule('in')]),
      );
      assert.deepEqual([await opens(friend, web), await opens(stranger, web)], ['open open', 'shut shut']);
    });
    await t.test('every form of address and every combination is a rule that nft takes', async () => {
      const odd = [
        '0.0.0.0/0',
        '::/0',
        '::',
        '10.0.0.1/24',
        '::ffff:192.0.2.1',
        '2001:db8::1/64',
        '255.255.255.255',
      ];
      const forms = (['any', 'tcp', 'udp', 'icmp'] as const).flatMap((protocol) =>
        (['in', 'out'] as const).map((direction) =>
          rule(direction, {
            protocol,
            ports: protocol === 'tcp' ? ['1-65535'] : [],
            peer: addresses(...odd),
          }),
        ),
      );
      await set(group(1, [web], forms));
    });
    await t.test('the first rule that fits decides', async () => {
      const deny = rule('in', { action: 'drop', peer: addresses(stranger.ipv4, stranger.ipv6) });
      await set(group(1, [web], [deny, rule('in')]));
      assert.deepEqual([await opens(friend, web), await opens(stranger, web)], ['open open', 'shut shut']);
    });
    await t.test('what it may begin itself', async () => {
      await set(group(1, [web], [rule('in'), rule('out', { action: 'drop', protocol: 'any', ports: [] })]));
      assert.equal(await opens(web, friend), 'shut shut');
      assert.equal(await pings(web.guest, OUTSIDE.ipv4), false);
      assert.equal(await opens(stranger, web), 'open open', 'its answers pass');
    });
    await t.test('a broadcast does not reach a member', async () => {
      await using heard = await collect(web.guest, 7400);
      const frame = (text: string) =>
        udpFrame(
          { fromMac: stranger.mac, toMac: BROADCAST, from: stranger.ipv4, to: '10.77.0.255' },
          { from: 9, to: 7400 },
          text,
        );
      const send = (text: string) =>
        must(stranger.guest.command(['socat', '-u', '-', 'INTERFACE:eth0']), frame(text));
      await send('guarded\n');
      await set();
      await send('open\n');
      assert.deepEqual(await heard.until('open'), ['open']);
    });
    await t.test('rules count, and go on counting when others change', async () => {
      const page = rule('in');
      await set(group(1, [web], [page]));
      assert.equal(await opens(stranger, web), 'open open');
      assert.equal(await opens(stranger, web, 81), 'shut shut');
      const before = await backend.firewallCounts();
      assert.equal(before.get(page.counter)?.packets, 2, 'a packet for each connection');
      const dropped = before.get(dropCounterName(web.attachment.vps.replaceAll('-', '')))?.packets ?? 0;
      assert.ok(dropped >= 2, `${dropped} were dropped`);
      await set(group(1, [web], [rule('in', { ports: ['443'] }), page]));
      assert.equal((await backend.firewallCounts()).get(page.counter)?.packets, 2);
    });
    await t.test('without members there are no tables', async () => {
      await set(group(1, [], [rule('in')]));
      const { stdout } = await attempt(['nft', 'list', 'tables']);
      assert.doesNotMatch(stdout, /_fw/);
      assert.equal(await opens(stranger, web), 'open open');
    });
  });

  test('no rule opens the way between projects, and a new daemon puts the rules back', async () => {
    await using world = new NetworkWorld();
    const [mine, theirs] = [world.network(0), world.network(1)];
    const web = await world.join(mine, 'web');
    const other = await world.join(theirs, 'other');
    const neighbour = await world.join(mine, 'neighbour');
    await using _page = await serve(web.guest, 'tcp', 80, 'page');
    const all = rule('in', { protocol: 'any', ports: [] });
    await world.backend.setFirewall([
      group(1, [web, other], [all, rule('out', { protocol: 'any', ports: [] })]),
    ]);
    assert.equal(await opens(neighbour, web), 'open open');
    assert.equal(await opens(other, web), 'shut shut');
    assert.equal(await pings(other.guest, web.ipv4), false);
    const next = world.restart();
    await next.setFirewall([group(1, [web], [])]);
    assert.equal(await opens(neighbour, web), 'shut shut');
    await next.setFirewall([]);
    assert.equal(await opens(neighbour, web), 'open open');
  });
}
