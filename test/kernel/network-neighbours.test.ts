import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { linkLocalAddress } from '../../src/core/ip.ts';
import { bridgeName } from '../../src/core/naming.ts';
import { raiseNeighbourTables } from '../../src/host/neighbour-tables.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { type Member, must, NetworkWorld } from '../support/network-world.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { host, pings } from '../support/servers.ts';

/** What the kernel does when its table of neighbours is full: nobody new is found. */
const DEAF = `
table arp deaf {
  chain input { type filter hook input priority 0; policy drop; }
  chain output { type filter hook output priority 0; policy drop; }
}
table ip6 deaf {
  chain input { type filter hook input priority 0; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop; }
  chain output { type filter hook output priority 0; icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } drop; }
}
`;
const NeighboursSchema = z.array(z.object({ dst: z.string(), lladdr: z.string() }));

async function known(world: NetworkWorld): Promise<string[]> {
  const bridge = bridgeName(world.naming, 0);
  const found = await must(['ip', '-json', 'neigh', 'show', 'dev', bridge, 'nud', 'permanent']);
  return NeighboursSchema.parse(JSON.parse(found))
    .map(({ dst, lladdr }) => `${dst} ${lladdr}`)
    .filter((entry) => !/^(ff|224\.)/.test(entry))
    .toSorted();
}
const expected = (members: readonly Member[]): string[] =>
  members
    .flatMap(({ ipv4, ipv6, mac }) =>
      [ipv4, ipv6, linkLocalAddress(mac)].map((address) => `${address} ${mac}`),
    )
    .toSorted();

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS and the host reach each other when nobody new can be found, by both families', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const { guest, ipv4, ipv6 } = await world.join(lan, 'web');
    await must(guest.command(['nft', '-f', '-']), DEAF);
    for (const address of [lan.ipv4.gateway, lan.ipv6.gateway])
      assert.ok(await pings(guest, address), `the VPS reaches ${address}`);
    for (const address of [ipv4, ipv6]) assert.ok(await pings(host, address), `the host reaches ${address}`);
  });

  test('the host knows where the VPSs are that there are, after a restart too, and forgets who leaves', async () => {
    await using world = new NetworkWorld();
    const lan = world.network(0);
    const [one, two] = [await world.join(lan, 'one'), await world.join(lan, 'two')];
    assert.deepEqual(await known(world), expected([one, two]));
    await must(['ip', 'neigh', 'flush', 'dev', bridgeName(world.naming, 0), 'nud', 'permanent']);
    const again = world.restart();
    await again.sync({ networks: [lan], attachments: [one.attachment, two.attachment] });
    assert.deepEqual(await known(world), expected([one, two]));
    await again.detach(one.attachment);
    assert.deepEqual(await known(world), expected([two]));
  });

  test("the room of the host's tables is raised, never lowered, and only where it can be set", async () => {
    using scratch = scratchDirectory('neighbours');
    const settings = (family: string): string => `/proc/sys/net/${family}/neigh`;
    // A network namespace that is not the first has no such settings: these files stand for them.
    for (const family of ['ipv4', 'ipv6']) {
      const folder = join(scratch.path, family);
      mkdirSync(join(folder, 'default'), { recursive: true });
      for (const [index, value] of [128, 100_000, 1024].entries())
        writeFileSync(join(folder, 'default', `gc_thresh${index + 1}`), `${value}\n`);
    }
    raiseNeighbourTables([8_192, 32_768, 65_536]);
    await must(['mount', '--bind', join(scratch.path, 'ipv4'), settings('ipv4')]);
    await must(['mount', '--bind', join(scratch.path, 'ipv6'), settings('ipv6')]);
    try {
      raiseNeighbourTables([8_192, 32_768, 65_536]);
    } finally {
      await must(['umount', settings('ipv4'), settings('ipv6')]);
    }
    for (const family of ['ipv4', 'ipv6']) {
      const values = [1, 2, 3].map((number) =>
        Number(readFileSync(join(scratch.path, family, 'default', `gc_thresh${number}`), 'utf8')),
      );
      assert.deepEqual(values, [8_192, 100_000, 65_536], family);
    }
  });
}
