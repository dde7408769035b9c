import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { COOKIES, dropCounterName } from '../../src/core/firewall-counters.ts';
import { silentLogger } from '../../src/core/logger.ts';
import { nftTableName } from '../../src/core/naming.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { createLinuxNetwork } from '../../src/network/linux-network.ts';
import { canProxySyns } from '../../src/network/syn-proxy.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { HOST_OUTSIDE, must, NetworkWorld } from '../support/network-world.ts';
import { eventually } from '../support/scratch.ts';
import { ask, type Place, pings, serve } from '../support/servers.ts';

/** How long a flood lasts at least; then it ends as soon as the limits have shown. */
const LEAST_MS = LONG_FORM ? 20_000 : 2_000;
const MOST_S = 60;

/** Sends as fast as it can until it is disposed of, at the most a minute. */
function flood(place: Place, ...options: string[]): AsyncDisposable {
  const argv = place.command(['timeout', String(MOST_S), 'hping3', '-q', '--flood', ...options]);
  const child = spawn('setpriv', ['--pdeathsig', 'TERM', ...argv], { stdio: 'ignore' });
  const ended = new Promise<void>((resolve) => {
    child.on('error', () => resolve());
    child.on('close', () => resolve());
  });
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM');
      await ended;
    },
  };
}

interface Answers {
  readonly asked: number;
  readonly failed: number;
  readonly median: number;
}

/** Asks again and again until it was asked often enough and the limits have shown. */
async function questionUntil(
  question: () => Promise<string | undefined>,
  shown: () => Promise<boolean>,
): Promise<Answers> {
  const began = performance.now();
  const times: number[] = [];
  let failed = 0;
  for (;;) {
    const start = performance.now();
    if ((await question()) === undefined) failed += 1;
    times.push(performance.now() - start);
    const passed = performance.now() - began;
    if (passed > MOST_S * 1000) break;
    if (passed > LEAST_MS && times.length >= 10 && (await shown())) break;
  }
  times.sort((a, b) => a - b);
  return { asked: times.length, failed, median: times[Math.floor(times.length / 2)] ?? Number.NaN };
}

const told = ({ asked, failed, median }: Answers): string =>
  `${asked} asked, ${failed} failed, median ${median.toFixed(1)} ms`;

const counter =
  (world: NetworkWorld) =>
  async (name: string): Promise<number> =>
    (await world.backend.firewallCounts()).get(name)?.packets ?? 0;

const tracked = async (): Promise<number> =>
  Number((await attempt(['cat', '/proc/sys/net/netfilter/nf_conntrack_count'])).stdout);

/** The host's address on the client's side. */
const CLIENT_SIDE = '203.0.113.1';

/** A VPS to be flooded and another, both with a forward; who floods, and a client on a link of its own. */
async function flooded(world: NetworkWorld, ports: readonly number[] = [8080]) {
  const lan = world.network(0);
  const forwards = ports.map((hostPort) => ({ protocol: 'tcp' as const, hostPort, vpsPort: 80 }));
  const target = await world.join(lan, 'target', forwards);
  const calm = await world.join(lan, 'calm', [{ protocol: 'tcp', hostPort: 8081, vpsPort: 80 }]);
  const [attacker, client] = [await world.outside(), await world.outside('up1', CLIENT_SIDE, '203.0.113.2')];
  // Strangers' sources have no way back through this host; they must not be refused for that.
  await must(['sh', '-c', 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done']);
  await must(['ip', 'route', 'add', 'default', 'dev', 'up0', 'onlink', 'via', '192.0.2.2']);
  return { target, calm, attacker, client };
}

if (enterPrivateNetns(import.meta.url)) {
  const missing = hasProgram('hping3') ? undefined : 'hping3 is not installed';

  test('while a flood of SYNs from everywhere hits one VPS, it and another go on answering', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    if (!(await canProxySyns(run))) return t.skip('this kernel has no nft_synproxy');
    await using world = new NetworkWorld();
    const { target, calm, attacker, client } = await flooded(world);
    await using _one = await serve(target.guest, 'tcp', 80, 'target');
    await using _two = await serve(calm.guest, 'tcp', 80, 'calm');
    const page = (port: number) => () => ask(client, 'tcp', CLIENT_SIDE, port);
    assert.ok(await page(8080)());
    const count = counter(world);
    await using _flood = flood(attacker, '--rand-source', '-S', '-p', '8080', HOST_OUTSIDE.ipv4);
    const shown = async () => (await count(COOKIES)) > 10_000;
    const [hit, other] = [await questionUntil(page(8080), shown), await questionUntil(page(8081), shown)];
    await eventually(
      'it answers by IPv6',
      async () => (await ask(attacker, 'tcp', HOST_OUTSIDE.ipv6, 8080)) !== undefined,
    );
    const held = await tracked();
    t.diagnostic(
      `the flooded: ${told(hit)}; the other: ${told(other)}; ${await count(COOKIES)} answered by cookies, ${held} tracked`,
    );
    assert.ok(other.failed === 0, `the other: ${told(other)}`);
    assert.ok(hit.failed <= hit.asked / 20, `the flooded: ${told(hit)}`);
    assert.ok(await shown(), 'the flood was real');
    assert.ok(held < 8_000, `${held} connections are tracked`);
    return undefined;
  });

  test('who the firewall shuts out does not get in by a port that is flooded', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    if (!(await canProxySyns(run))) return t.skip('this kernel has no nft_synproxy');
    await using world = new NetworkWorld();
    const { target, attacker, client } = await flooded(world);
    await must(attacker.command(['ip', 'addr', 'add', '192.0.2.3/24', 'dev', 'eth0']));
    const { vps, nic } = target.attachment;
    await world.backend.setFirewall([
      {
        index: 1,
        members: [
          {
            vps: vps.replaceAll('-', ''),
            hostLink: nic.hostLink,
            addresses: nic.addresses.map(({ address }) => address),
          },
        ],
        rules: [
          {
            direction: 'in',
            action: 'accept',
            protocol: 'tcp',
            ports: ['80'],
            peer: { kind: 'addresses', addresses: ['203.0.113.2'] },
            counter: 'g1_client',
          },
        ],
      },
    ]);
    await using _page = await serve(target.guest, 'tcp', 80, 'target');
    const count = counter(world);
    await using _flood = flood(attacker, '--rand-source', '-S', '-p', '8080', HOST_OUTSIDE.ipv4);
    await eventually('the host answers by cookies', async () => (await count(COOKIES)) > 10_000, 30_000);
    const before = (await count(dropCounterName('idtarget'))) ?? 0;
    assert.ok(await ask(client, 'tcp', CLIENT_SIDE, 8080), 'the one that the rule names');
    for (let times = 0; times < 2; times += 1)
      assert.equal(await ask(attacker, 'tcp', HOST_OUTSIDE.ipv4, 8080), undefined);
    assert.ok((await count(dropCounterName('idtarget'))) > before, 'what it sent is counted');
    return undefined;
  });

  test('made-up connections over several forwards, none of them flooded, do not fill the share of their VPS', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    if (!(await canProxySyns(run))) return t.skip('this kernel has no nft_synproxy');
    await using world = new NetworkWorld();
    const ports = [8080, 8082, 8083, 8084, 8085, 8086];
    const { target, attacker, client } = await flooded(world, ports);
    await using _page = await serve(target.guest, 'tcp', 80, 'target');
    const before = await tracked();
    const count = counter(world);
    await Promise.all(
      ports.map((port) =>
        attempt(
          attacker.command([
            'hping3',
            '-q',
            '--rand-source',
            '-S',
            '-c',
            '1000',
            '-i',
            'u5000',
            '-p',
            String(port),
            HOST_OUTSIDE.ipv4,
          ]),
        ),
      ),
    );
    assert.equal(await count('limit_held'), 0);
    const held = (await tracked()) - before;
    t.diagnostic(`${await count(COOKIES)} answered by cookies, ${held} tracked`);
    assert.ok(held > 4_000 && held < 5_500, `${held} connections are tracked`);
    assert.ok((await count(COOKIES)) > 100);
    assert.ok(await ask(client, 'tcp', CLIENT_SIDE, 8080));
    return undefined;
  });

  test('where another firewall filters, the host answers for nobody, from when it is switched on', async (t) => {
    if (!(await canProxySyns(run))) return t.skip('this kernel has no nft_synproxy');
    await using world = new NetworkWorld();
    const backend = createLinuxNetwork({ naming: world.naming, logger: silentLogger, reviewMs: 100 });
    const answers = async (): Promise<boolean> =>
      (await must(['nft', 'list', 'table', 'inet', nftTableName(world.naming)])).includes('synproxy');
    await backend.ensureNetwork(world.network(0));
    assert.ok(await answers());
    await must(['nft', 'add', 'table', 'inet', 'other']);
    await must([
      'nft',
      'add',
      'chain',
      'inet',
      'other',
      'forward',
      '{ type filter hook forward priority 0; policy drop; }',
    ]);
    await eventually('it no longer answers', async () => !(await answers()));
    await must(['nft', 'delete', 'table', 'inet', 'other']);
    await eventually('it answers again', answers);
    await backend.close();
  });

  test('datagrams from everywhere at one VPS leave another answering', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await using world = new NetworkWorld();
    const { target, calm, attacker, client } = await flooded(world);
    await world.backend.setForwards({
      ...target.attachment,
      forwards: [{ protocol: 'udp', hostPort: 8080, vpsPort: 80 }],
    });
    await using _two = await serve(calm.guest, 'tcp', 80, 'calm');
    const count = counter(world);
    await using _flood = flood(attacker, '--rand-source', '--udp', '-p', '8080', HOST_OUTSIDE.ipv4);
    const answers = await questionUntil(
      () => ask(client, 'tcp', CLIENT_SIDE, 8081),
      async () => (await count('limit_receiver')) > 1_000,
    );
    const [dropped, held] = [await count('limit_receiver'), await tracked()];
    t.diagnostic(`${told(answers)}, ${dropped} dropped, ${held} tracked`);
    assert.ok(answers.failed === 0, told(answers));
    assert.ok(dropped > 1_000, `the flood was real, and ${dropped} of it were dropped`);
    assert.ok(held < 20_000, `${held} connections are tracked`);
    return undefined;
  });

  test('one source that opens connections without end is slowed down, and others come through', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const target = await world.join(lan, 'target', [{ protocol: 'tcp', hostPort: 8080, vpsPort: 80 }]);
    const attacker = await world.outside();
    await must(attacker.command(['ip', 'addr', 'add', '192.0.2.3/24', 'dev', 'eth0']));
    await using _page = await serve(target.guest, 'tcp', 80, 'target');
    const honest: Place = { command: (argv) => attacker.command(argv) };
    let said = '';
    const other = () =>
      attempt(
        honest.command([
          'socat',
          '-u',
          '-T1',
          `TCP4:${HOST_OUTSIDE.ipv4}:8080,bind=192.0.2.3,connect-timeout=1`,
          'STDOUT',
        ]),
      ).then(({ code, stdout, stderr }) => {
        if (stdout === '') said = `${code}: ${stderr.trim()}`;
        return stdout === '' ? undefined : stdout;
      });
    assert.ok(await other());
    const count = counter(world);
    await using _flood = flood(attacker, '-S', '-p', '8080', HOST_OUTSIDE.ipv4);
    const { asked, failed } = await questionUntil(other, async () => (await count('limit_source')) > 1_000);
    const dropped = await count('limit_source');
    t.diagnostic(`${asked} asked, ${failed} failed, ${dropped} dropped`);
    if (failed > 0) t.diagnostic((await attempt(['nft', 'list', 'ruleset'])).stdout);
    assert.ok(failed === 0, `${failed} of ${asked} were not answered, the last by ${said}`);
    assert.ok(dropped > 1_000, `${dropped} of the flood were dropped`);
    return undefined;
  });

  test('what one VPS sends without end leaves its neighbours and the name server what is theirs', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [loud, calm, friend] = [
      await world.join(lan, 'loud'),
      await world.join(lan, 'calm'),
      await world.join(lan, 'friend'),
    ];
    await world.outside();
    await using _page = await serve(calm.guest, 'tcp', 80, 'calm');
    const count = counter(world);
    const floods = [
      ['limit_sender', ['-p', '++1', '192.0.2.2']],
      ['limit_questions', ['-p', '53', lan.ipv4.gateway]],
      ['limit_broadcasts', ['-p', '9', '10.77.0.255']],
    ] as const;
    // What was tracked for an earlier test is forgotten later.
    const before = await tracked();
    await using begun = new AsyncDisposableStack();
    // One after the other has begun: the host's queue of a processor, which they share, may have room for one alone.
    for (const [reason, to] of floods) {
      begun.use(flood(loud.guest, '--udp', ...to));
      const { asked, failed } = await questionUntil(
        () => ask(friend.guest, 'tcp', calm.ipv4, 80),
        async () => (await count(reason)) > 100,
      );
      const dropped = await count(reason);
      t.diagnostic(`${reason}: ${asked} asked, ${failed} failed, ${dropped} dropped`);
      assert.ok(failed === 0, `${failed} of ${asked} were not answered`);
      assert.ok(dropped > 100, reason);
    }
    await eventually('the host answers', () => pings(calm.guest, lan.ipv4.gateway), 30_000);
    const held = (await tracked()) - before;
    assert.ok(held < 14_000, `${held} connections are tracked`);
    return undefined;
  });
}
