import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { HOST_OUTSIDE, must, NetworkWorld } from '../support/network-world.ts';
import { ask, type Place, pings, serve } from '../support/servers.ts';

const SECONDS = LONG_FORM ? 20 : 3;
/** Of hping3: packets that it sends at most, whatever happens to the test. */
const MOST = String(SECONDS * 200_000);

/** Sends as fast as it can for a while, then ends by itself. */
function flood(place: Place, ...options: string[]): Promise<void> {
  const argv = place.command(['timeout', String(SECONDS), 'hping3', '-q', '--flood', '-c', MOST, ...options]);
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve());
  });
}

/** Asks again and again until the flood is over; answers, and how many there were. */
async function whileFlooded(over: Promise<void>, question: () => Promise<string | undefined>) {
  let running = true;
  const end = over.then(() => {
    running = false;
  });
  const answers: boolean[] = [];
  const times: number[] = [];
  while (running) {
    const began = performance.now();
    answers.push((await question()) !== undefined);
    times.push(performance.now() - began);
  }
  await end;
  times.sort((a, b) => a - b);
  const failed = answers.filter((answered) => !answered).length;
  return { asked: answers.length, failed, median: times[Math.floor(times.length / 2)] ?? Number.NaN };
}

const tracked = async (): Promise<number> =>
  Number((await attempt(['cat', '/proc/sys/net/netfilter/nf_conntrack_count'])).stdout);

if (enterPrivateNetns(import.meta.url)) {
  const missing = hasProgram('hping3') ? undefined : 'hping3 is not installed';

  test('while a flood of SYNs from everywhere hits one VPS, another goes on answering', async (t) => {
    if (missing !== undefined) return t.skip(missing);
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const target = await world.join(lan, 'target', [{ protocol: 'tcp', hostPort: 8080, vpsPort: 80 }]);
    const calm = await world.join(lan, 'calm', [{ protocol: 'tcp', hostPort: 8081, vpsPort: 80 }]);
    const [attacker, client] = [await world.outside(), await world.guest()];
    await must([
      'ip',
      'link',
      'add',
      'up1',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      String(client.pid),
    ]);
    await must(['ip', 'addr', 'add', '203.0.113.1/24', 'dev', 'up1']);
    await must(['ip', 'link', 'set', 'up1', 'up']);
    await must(client.command(['ip', 'addr', 'add', '203.0.113.2/24', 'dev', 'eth0']));
    await must(client.command(['ip', 'link', 'set', 'eth0', 'up']));
    // Strangers' sources have no way back through this host; they must not be refused for that.
    await must(['sh', '-c', 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done']);
    await must(['ip', 'route', 'add', 'default', 'dev', 'up0', 'onlink', 'via', '192.0.2.2']);
    await using _one = await serve(target.guest, 'tcp', 80, 'target');
    await using _two = await serve(calm.guest, 'tcp', 80, 'calm');
    const page = () => ask(client, 'tcp', '203.0.113.1', 8081);
    assert.ok(await page());
    const over = flood(attacker, '--rand-source', '-S', '-p', '8080', HOST_OUTSIDE.ipv4);
    const { asked, failed, median } = await whileFlooded(over, page);
    const counts = await world.backend.firewallCounts();
    const dropped = counts.get('limit_receiver')?.packets ?? 0;
    const held = await tracked();
    t.diagnostic(
      `${asked} asked, ${failed} failed, median ${median.toFixed(1)} ms, ${dropped} dropped, ${held} tracked`,
    );
    assert.ok(asked > 5 && failed === 0, `${failed} of ${asked} were not answered`);
    assert.ok(dropped > 1_000, `the flood was real, and ${dropped} of it were dropped`);
    assert.ok(held < 10_000 + SECONDS * 100, `${held} connections are tracked`);
    await must(['ip', 'link', 'del', 'up1']);
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
    const other = () =>
      attempt(
        honest.command([
          'socat',
          '-u',
          '-T1',
          `TCP4:${HOST_OUTSIDE.ipv4}:8080,bind=192.0.2.3,connect-timeout=1`,
          'STDOUT',
        ]),
      ).then(({ stdout }) => (stdout === '' ? undefined : stdout));
    assert.ok(await other());
    const over = flood(attacker, '-S', '-p', '8080', HOST_OUTSIDE.ipv4);
    const { asked, failed } = await whileFlooded(over, other);
    const dropped = (await world.backend.firewallCounts()).get('limit_source')?.packets ?? 0;
    t.diagnostic(`${asked} asked, ${failed} failed, ${dropped} dropped`);
    assert.ok(asked > 5 && failed === 0, `${failed} of ${asked} were not answered`);
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
    const floods = Promise.all([
      flood(loud.guest, '--udp', '-p', '++1', '192.0.2.2'),
      flood(loud.guest, '--udp', '-p', '53', lan.ipv4.gateway),
      flood(loud.guest, '--udp', '-p', '9', '10.77.0.255'),
    ]).then(() => undefined);
    const { asked, failed } = await whileFlooded(floods, () => ask(friend.guest, 'tcp', calm.ipv4, 80));
    const counts = await world.backend.firewallCounts();
    const dropped = (reason: string) => counts.get(reason)?.packets ?? 0;
    const found = ['limit_sender', 'limit_questions', 'limit_broadcasts'].map((reason) => [
      reason,
      dropped(reason),
    ]);
    t.diagnostic(`${asked} asked, ${failed} failed, dropped: ${JSON.stringify(found)}`);
    assert.ok(asked > 5 && failed === 0);
    assert.ok(await pings(calm.guest, lan.ipv4.gateway));
    for (const [reason, count] of found) assert.ok(Number(count) > 100, `${reason}: ${count}`);
    assert.ok((await tracked()) < 20_000);
    return undefined;
  });
}
