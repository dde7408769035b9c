import assert from 'node:assert/strict';
import { test } from 'node:test';
import { changeLinks } from '../../src/host/links.ts';
import { listLinks } from '../../src/host/net.ts';
import { hasCode } from '../../src/host/system-error.ts';
import { attempt, enterPrivateNetns, NetnsGuest } from '../support/netns.ts';

const PAIR = { link: 'veth-test', bridge: 'bridge-test', peer: 'eth0', mac: '52:54:00:00:00:02' } as const;

async function ip(...argv: readonly string[]): Promise<string> {
  const result = await attempt(['ip', ...argv]);
  assert.equal(result.code, 0, result.stderr);
  return result.stdout;
}

if (enterPrivateNetns(import.meta.url)) {
  test('ip(8) shows a pair of links as it was asked for', async (t) => {
    await using guest = await NetnsGuest.start();
    const { pid } = guest;
    t.after(() => changeLinks([{ type: 'removeLink', link: PAIR.bridge }], { force: true }));
    await changeLinks([{ type: 'addBridge', link: PAIR.bridge, mac: '52:54:00:00:00:01' }]);
    await changeLinks([
      { type: 'setAddress', link: PAIR.bridge, address: '10.1.0.1', prefix: 24 },
      { type: 'raise', link: PAIR.bridge },
      { type: 'addPair', ...PAIR, place: { pid } },
      { type: 'reflect', link: PAIR.link },
    ]);
    for (let time = 0; time < 2; time += 1) {
      await changeLinks(
        [
          { type: 'raise', link: 'lo' },
          { type: 'setAddress', link: 'eth0', address: '10.1.0.2', prefix: 24 },
          { type: 'setAddress', link: 'eth0', address: 'fd00::2', prefix: 64 },
          { type: 'raise', link: 'eth0' },
          { type: 'setDefaultRoute', link: 'eth0', gateway: '10.1.0.1' },
          { type: 'setDefaultRoute', link: 'eth0', gateway: 'fd00::1' },
        ],
        { place: { pid } },
      );
    }
    const bridge = await ip('-details', 'link', 'show', 'dev', PAIR.bridge);
    assert.match(bridge, /,UP.*link\/ether 52:54:00:00:00:01 .*mcast_snooping 0 /s);
    assert.match(
      await ip('-details', 'link', 'show', 'dev', PAIR.link),
      /,UP.*master bridge-test.*hairpin on/s,
    );
    const inside = (...argv: readonly string[]) => guest.output(['ip', ...argv]);
    const addresses = await inside('addr', 'show');
    assert.match(addresses ?? '', /lo: .*,UP/);
    assert.match(
      addresses ?? '',
      /eth0@.*,UP.*52:54:00:00:00:02.*inet 10\.1\.0\.2\/24 brd 10\.1\.0\.255 scope global eth0/s,
    );
    assert.match(addresses ?? '', /inet6 fd00::2\/64 scope global nodad/);
    assert.match((await inside('route')) ?? '', /^default via 10\.1\.0\.1 dev eth0 proto static \n/);
    assert.match((await inside('-6', 'route')) ?? '', /^default via fd00::1 dev eth0 proto static /m);
    await changeLinks([{ type: 'removeAddress', link: 'eth0', address: '10.1.0.2', prefix: 24 }], {
      place: { pid },
    });
    assert.doesNotMatch((await inside('addr', 'show')) ?? '', /10\.1\.0\.2/);
    assert.ok(!(await listLinks()).includes('eth0'), 'the peer is in the guest alone');
  });

  test('the first failure is thrown with its errno, unless failures are passed over', async () => {
    const missing = ['a-test', 'b-test'].map((link) => ({ type: 'removeLink', link }) as const);
    await assert.rejects(changeLinks(missing), (thrown) => {
      assert.ok(hasCode(thrown, 'ENODEV'));
      assert.match(String(thrown), /removeLink a-test/);
      return true;
    });
    await changeLinks(missing, { force: true });
    const noBridge = { type: 'join', link: 'lo', bridge: 'none-test' } as const;
    await assert.rejects(changeLinks([noBridge]), (thrown) => hasCode(thrown, 'ENODEV'));
    await changeLinks([noBridge, ...missing], { force: true });
    const nowhere = { type: 'setDefaultRoute', link: 'lo', gateway: '10.9.9.9' } as const;
    await assert.rejects(
      changeLinks([nowhere]),
      /setDefaultRoute lo 10\.9\.9\.9 \(Nexthop has invalid gateway\)/,
    );
  });

  test('many changes at once are all answered', async () => {
    const addresses = Array.from({ length: 200 }, (_, number) => `10.2.0.${number + 1}`);
    const change = (type: 'setAddress' | 'removeAddress') =>
      addresses.map((address) => ({ type, link: 'lo', address, prefix: 32 }) as const);
    await changeLinks(change('setAddress'));
    assert.equal((await ip('addr', 'show', 'dev', 'lo')).match(/inet 10\.2\.0\./g)?.length, 200);
    await changeLinks(change('removeAddress'));
    assert.doesNotMatch(await ip('addr', 'show', 'dev', 'lo'), /10\.2\.0\./);
  });

  test('a guest that has ended is told, and this process stays in its own network', async () => {
    const guest = await NetnsGuest.start();
    await guest[Symbol.asyncDispose]();
    const before = await listLinks();
    await assert.rejects(
      changeLinks([{ type: 'raise', link: 'lo' }], { place: { pid: guest.pid } }),
      /ended before/,
    );
    assert.deepEqual(await listLinks(), before);
  });
}
