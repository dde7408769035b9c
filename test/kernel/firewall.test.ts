import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkFirewall } from '../../src/doctor/forwarding.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { attempt, enterPrivateNetns } from '../support/netns.ts';
import { must, NetworkWorld, OUTSIDE } from '../support/network-world.ts';
import { pings } from '../support/servers.ts';

/** Firewalls that drop what they forward, as Docker and others make them. */
const FIREWALLS: Readonly<Record<string, { needs: string; make: string; clear: string }>> = {
  'a table of nft': {
    needs: 'nft',
    make: "nft 'add table inet guard; add chain inet guard guarding { type filter hook forward priority 0; policy drop; }'",
    clear: 'nft delete table inet guard',
  },
  'a last rule that rejects': {
    needs: 'nft',
    make: "nft 'add table inet guard; add chain inet guard guarding { type filter hook forward priority 0; }; add rule inet guard guarding counter reject'",
    clear: 'nft delete table inet guard',
  },
  'iptables-nft with the chain of Docker': {
    needs: 'iptables-nft',
    make: 'iptables-nft -P FORWARD DROP && iptables-nft -N DOCKER-USER && iptables-nft -A FORWARD -j DOCKER-USER',
    clear: 'nft delete table ip filter',
  },
  'iptables-legacy': {
    needs: 'iptables-legacy',
    make: 'iptables-legacy -P FORWARD DROP',
    clear: 'iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F FORWARD',
  },
};

if (enterPrivateNetns(import.meta.url)) {
  test('a firewall that drops forwarded packets is found, and its remedy helps', async (t) => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const one = await world.join(lan, 'one');
    await world.outside();
    assert.ok(await pings(one.guest, OUTSIDE.ipv4), 'before there is a firewall');
    assert.equal((await checkFirewall(world.naming, run)).state, 'ok');
    for (const [name, { needs, make, clear }] of Object.entries(FIREWALLS)) {
      await t.test(name, async (inner) => {
        if (!hasProgram(needs)) return inner.skip(`${needs} is not installed`);
        const made = await attempt(['sh', '-c', make]);
        if (made.code !== 0) return inner.skip(`this kernel refuses it: ${made.stderr.trim()}`);
        try {
          assert.ok(!(await pings(one.guest, OUTSIDE.ipv4)), 'the firewall drops');
          const check = await checkFirewall(world.naming, run);
          assert.equal(check.state, 'warning');
          await must([
            'sh',
            '-c',
            check.remedy.replace('iptables ', 'iptables-nft ').replace('; iptables ', '; iptables-nft '),
          ]);
          assert.ok(await pings(one.guest, OUTSIDE.ipv4), 'the remedy helps');
          assert.equal((await checkFirewall(world.naming, run)).state, 'ok');
        } finally {
          await attempt(['sh', '-c', clear]);
        }
      });
    }
  });
}
