import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MullionError } from '../../src/contract/errors.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { networkRunDirectory } from '../../src/core/naming.ts';
import { findDnsmasq } from '../../src/host/dnsmasq.ts';
import { waitForExit } from '../../src/host/processes.ts';
import { run } from '../../src/host/run.ts';
import { createLinuxNetwork } from '../../src/network/linux-network.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { must, NetworkWorld } from '../support/network-world.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { ask, host, lookUp, pings, serve } from '../support/servers.ts';

const nameServers = (): number[] => findDnsmasq(() => true).map(({ pid }) => pid);
async function killNameServers(): Promise<void> {
  for (const { pid, pidStart } of findDnsmasq(() => true)) {
    process.kill(pid, 'SIGKILL');
    assert.ok(await waitForExit(pid, pidStart, 5_000));
  }
}
/** What a network installation could have left on the host. */
async function traces(): Promise<{ links: string; rules: string; servers: number[] }> {
  const links = await must(['ip', '-br', 'link']);
  return {
    links: links
      .split('\n')
      .map((line) => line.split(/[ @]/)[0])
      .sort()
      .join(' '),
    rules: await must(['nft', 'list', 'ruleset']),
    servers: nameServers(),
  };
}
const withCode = (code: string) => (thrown: unknown) =>
  thrown instanceof MullionError && thrown.code === code;

const forwarding = async (): Promise<string> =>
  (await must(['cat', '/proc/sys/net/ipv4/ip_forward', '/proc/sys/net/ipv6/conf/all/forwarding']))
    .replaceAll('\n', ' ')
    .trim();

if (enterPrivateNetns(import.meta.url)) {
  test('forwarding that was off before is put back when the last network goes', async () => {
    await must([
      'sh',
      '-c',
      'for f in ipv4/ip_forward ipv6/conf/all/forwarding; do echo 0 > /proc/sys/net/$f; done',
    ]);
    await using world = new NetworkWorld();
    await world.backend.ensureNetwork(world.network(0));
    await world.backend.ensureNetwork(world.network(1));
    assert.equal(await forwarding(), '1 1');
    await world.backend.removeNetwork(world.network(0));
    assert.equal(await forwarding(), '1 1', 'the other network needs it');
    const back = world.restart();
    await back.sync({ networks: [world.network(1)], attachments: [] });
    await back.removeNetwork(world.network(1));
    assert.equal(await forwarding(), '0 0');
    await back.ensureNetwork(world.network(2));
    assert.equal(await forwarding(), '1 1');
    await back.close();
    assert.equal(await forwarding(), '0 0');
  });

  test('a daemon that comes back adopts networks, name servers and links as they are', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const forward = { protocol: 'tcp', hostPort: 8080, vpsPort: 80 } as const;
    const one = await world.join(lan, 'one', [forward]);
    const two = await world.join(lan, 'two');
    await using _page = await serve(one.guest, 'tcp', 80, 'page');
    const links = await must(['ip', '-o', 'link']);
    const servers = nameServers();
    const back = world.restart();
    const state = { networks: [lan], attachments: [one.attachment, two.attachment] };
    await back.sync(state);
    await back.sync(state);
    assert.deepEqual(nameServers(), servers, 'the same process');
    assert.equal(await must(['ip', '-o', 'link']), links, 'the same links');
    assert.ok(await pings(one.guest, two.ipv4));
    assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, 'two'), [two.ipv4, two.ipv6].sort());
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8080)) ?? '', /^page /);
    await back.detach(one.attachment);
    assert.equal(await ask(host, 'tcp', '127.0.0.1', 8080), undefined);
  });

  test('sync removes what is no longer wanted and repairs what is missing', async () => {
    await using world = new NetworkWorld();
    const [lan, stale] = [world.network(0), world.network(1)];
    const one = await world.join(lan, 'one');
    const gone = await world.join(lan, 'gone');
    const lost = await world.join(stale, 'lost');
    const bridge = `mb${world.naming.instance}-0`;
    await must(['nft', 'flush', 'ruleset']);
    await must(['ip', 'link', 'set', one.attachment.nic.hostLink, 'nomaster']);
    await must(['ip', 'addr', 'flush', 'dev', bridge]);
    await must(['ip', 'addr', 'add', '10.99.0.1/24', 'dev', bridge]);
    await killNameServers();
    await world.restart().sync({ networks: [lan], attachments: [one.attachment] });
    const { links, servers } = await traces();
    assert.equal(links.trim(), ['lo', bridge, one.attachment.nic.hostLink].sort().join(' '));
    assert.equal(servers.length, 1);
    assert.ok(await pings(one.guest, lan.ipv4.gateway));
    assert.doesNotMatch(await must(['ip', 'addr', 'show', 'dev', bridge]), /10\.99/);
    assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, 'one'), [one.ipv4, one.ipv6].sort());
    for (const { attachment, ipv4 } of [gone, lost]) {
      assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, attachment.hostname), []);
      assert.doesNotMatch(
        await must(['nft', 'list', 'ruleset']),
        new RegExp(`\\b${ipv4.replaceAll('.', '\\.')}\\b`),
      );
    }
  });

  test('a launch that was cut off between its steps is finished or taken back', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const attachment = world.plan(lan, 'half');
    const guest = await world.guest();
    await world.backend.admit(attachment);
    const { hostLink } = attachment.nic;
    await must(['ip', 'link', 'add', hostLink, 'type', 'veth', 'peer', 'name', 'eth7']);
    await world.restart().connect(attachment, { kind: 'netns', pid: guest.pid });
    assert.ok(await pings(guest, lan.ipv4.gateway), 'a pair with no end in the guest is made anew');
    const back = world.restart();
    await back.sync({ networks: [lan], attachments: [attachment] });
    await back.detach(attachment);
    assert.doesNotMatch(await must(['ip', '-br', 'link']), new RegExp(hostLink));
  });

  test('rules that another program flushed come back with the next change', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const one = await world.join(lan, 'one');
    await must(['nft', 'flush', 'ruleset']);
    const two = await world.join(lan, 'two');
    const forwards = [{ protocol: 'tcp', hostPort: 8080, vpsPort: 80 }] as const;
    await world.backend.setForwards({ ...one.attachment, forwards });
    await using _page = await serve(one.guest, 'tcp', 80, 'page');
    assert.match((await ask(host, 'tcp', '127.0.0.1', 8080)) ?? '', /^page /);
    assert.match(await must(['nft', 'list', 'ruleset']), new RegExp(two.mac));
  });

  test('a name server that died is started again by the next launch', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const one = await world.join(lan, 'one');
    await killNameServers();
    const two = await world.join(lan, 'two');
    assert.deepEqual(await lookUp(two.guest, lan.ipv4.gateway, 'one'), [one.ipv4, one.ipv6].sort());
  });

  test('removing one network leaves the other working', async () => {
    await using world = new NetworkWorld();
    const [lan, other] = [world.network(0), world.network(1)];
    const one = await world.join(lan, 'one');
    await world.backend.ensureNetwork(other);
    await world.backend.removeNetwork(other);
    assert.equal(nameServers().length, 1);
    assert.ok(!existsSync(`/proc/sys/net/ipv4/conf/mb${world.naming.instance}-1`));
    assert.deepEqual(await lookUp(one.guest, lan.ipv4.gateway, 'one'), [one.ipv4, one.ipv6].sort());
  });

  test('many VPSs come and go at once, and nothing is left after close', async () => {
    const before = await traces();
    {
      await using world = new NetworkWorld();
      const networks = [world.network(0), world.network(1)];
      const pick = (index: number) => networks[index % 2] ?? world.network(0);
      const members = await Promise.all(
        Array.from({ length: 16 }, (_, index) =>
          world.join(pick(index), `vps${index}`, [{ protocol: 'tcp', hostPort: 8000 + index, vpsPort: 80 }]),
        ),
      );
      await Promise.all(
        members.map(async ({ guest, attachment }) => {
          assert.ok(await pings(guest, attachment.network.ipv4.gateway), attachment.hostname);
        }),
      );
      const [stay, ...leave] = members;
      await Promise.all(leave.map(({ attachment }) => world.backend.detach(attachment)));
      assert.ok(stay !== undefined && (await pings(stay.guest, stay.attachment.network.ipv4.gateway)));
      const rules = await must(['nft', 'list', 'ruleset']);
      for (const { mac } of leave) assert.doesNotMatch(rules, new RegExp(mac));
      await world.backend.close();
      assert.deepEqual(await traces(), before);
      assert.ok(!existsSync(networkRunDirectory(world.naming)));
    }
    assert.deepEqual(await traces(), before);
  });

  test('two installations on one host leave each other alone', async () => {
    await using first = new NetworkWorld();
    await using second = new NetworkWorld();
    const one = await first.join(first.network(0), 'one');
    const other = await second.join(second.network(1), 'other');
    assert.equal(await pings(one.guest, other.ipv4), false);
    await first.restart().sync({ networks: [], attachments: [] });
    await first.backend.close();
    assert.ok(await pings(other.guest, other.attachment.network.ipv4.gateway));
    assert.deepEqual(
      await lookUp(other.guest, other.attachment.network.ipv4.gateway, 'other'),
      [other.ipv4, other.ipv6].sort(),
    );
  });

  test('a subnet that the host reaches elsewhere is refused, and nothing is made', async () => {
    await using world = new NetworkWorld();
    const before = await traces();
    await must(['ip', 'link', 'add', 'lan0', 'type', 'bridge']);
    await must(['ip', 'addr', 'add', '10.77.0.77/24', 'dev', 'lan0']);
    await must(['ip', 'link', 'set', 'lan0', 'up']);
    await assert.rejects(world.backend.ensureNetwork(world.network(0)), withCode('in_use'));
    const other = world.network(1);
    await world.backend.sync({ networks: [world.network(0), other], attachments: [] });
    assert.ok(existsSync(`/proc/sys/net/ipv4/conf/mb${world.naming.instance}-1`), 'the other one is made');
    await world.backend.removeNetwork(other);
    await must(['ip', 'link', 'del', 'lan0']);
    assert.equal((await traces()).links, before.links);
    await world.backend.ensureNetwork(world.network(0));
  });

  test('without dnsmasq a network is refused as host_unfit', async () => {
    await using world = new NetworkWorld();
    using programs = scratchDirectory('programs');
    const path = join(programs.path, 'bin');
    mkdirSync(path);
    for (const program of ['ip', 'nft', 'unshare', 'sh', 'mount', 'nsenter']) {
      const found = (await attempt(['sh', '-c', `command -v ${program}`])).stdout.trim();
      symlinkSync(found, join(path, program));
    }
    const backend = createLinuxNetwork({
      naming: world.naming,
      logger: silentLogger,
      run: (argv, options) => run(argv, { ...options, env: { PATH: path } }),
    });
    await assert.rejects(backend.ensureNetwork(world.network(0)), (thrown) => {
      assert.ok(thrown instanceof MullionError);
      assert.equal(thrown.code, 'host_unfit');
      assert.match(thrown.remedy, /dnsmasq-base/);
      return true;
    });
    await world.backend.ensureNetwork(world.network(0));
    assert.equal(nameServers().length, 1, 'installed later, it works');
    assert.equal(readdirSync(networkRunDirectory(world.naming)).length, 1);
  });
}
