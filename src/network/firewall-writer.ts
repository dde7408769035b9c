import { MullionError } from '../contract/errors.ts';
import { firewallTableName, type Naming, nftTableName } from '../core/naming.ts';
import { filterBridged, readCounters } from '../host/net.ts';
import { runNft } from '../host/nft.ts';
import type { Runner } from '../host/run.ts';
import { type Count, type FirewallSpec, renderFirewall, renderFirewallRemoval } from './firewall.ts';

export interface FirewallWriter {
  set(spec: FirewallSpec): Promise<void>;
  counts(): Promise<ReadonlyMap<string, Count>>;
}

/** Replaces both tables of the firewall in one transaction, one after another; what was counted goes on. */
export function createFirewallWriter(naming: Naming, run: Runner): FirewallWriter {
  let standing: string | undefined;
  let tail: Promise<void> = Promise.resolve();

  const countsOf = async (table: string): Promise<[string, Count][]> =>
    (await readCounters(run, table)).map(({ name, ...count }) => [name, count]);

  const write = async (spec: FirewallSpec): Promise<void> => {
    const wanted = renderFirewall(naming, spec);
    if (wanted === standing) return;
    standing = undefined;
    if (wanted === '') {
      await runNft(run, renderFirewallRemoval(naming));
    } else {
      if (!(await filterBridged(run))) {
        throw new MullionError(
          'host_unfit',
          'This kernel does not let packets that it bridges be filtered.',
          {
            remedy:
              'Use a kernel that has the module br_netfilter, or take the VPS out of its firewall groups',
          },
        );
      }
      const counts = new Map(await countsOf(firewallTableName(naming)));
      await runNft(run, renderFirewallRemoval(naming) + renderFirewall(naming, spec, counts));
    }
    standing = wanted;
  };
  return {
    set: (spec) => {
      const next = tail.then(() => write(spec));
      tail = next.catch(() => undefined);
      return next;
    },
    counts: async () => {
      const tables = [...(standing === '' ? [] : [firewallTableName(naming)]), nftTableName(naming)];
      return new Map((await Promise.all(tables.map(countsOf))).flat());
    },
  };
}
