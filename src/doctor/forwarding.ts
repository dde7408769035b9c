import type { Check } from '../contract/resources.ts';
import { BRIDGE_PREFIX, type Naming } from '../core/naming.ts';
import { droppingChains, letPass } from '../host/firewall.ts';
import type { Runner } from '../host/run.ts';

/** Whether another firewall of this host lets packets of VPSs pass: they must pass every one of them. */
export async function checkFirewall(naming: Naming, run: Runner): Promise<Check> {
  const prefix = BRIDGE_PREFIX(naming);
  const found = await droppingChains(run, prefix);
  const names = found.map(({ family, table, chain, tool }) => `${family} ${table} ${chain} (${tool})`);
  return {
    name: 'firewall',
    state: found.length === 0 ? 'ok' : 'warning',
    message:
      found.length === 0
        ? 'No other firewall of this host drops what VPSs send and get.'
        : `A firewall drops what VPSs send to the outside and get by forwards: ${names.join(', ')}.`,
    evidence: names,
    remedy: found.flatMap((chain) => letPass(chain, prefix)).join('; '),
  };
}
