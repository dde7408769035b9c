import { MullionError } from '../contract/errors.ts';
import { formatSubnet, overlaps, parseSubnet } from '../core/addresses.ts';
import type { Route } from '../host/net.ts';
import type { NetworkSpec } from './network.ts';

/** Wider routes, as a company's 10.0.0.0/8, are left to lose against the bridge's more specific one. */
const WIDE_PREFIX = 16;

/**
 * A bridge must not take over addresses that the host reaches elsewhere.
 * @throws MullionError `in_use`
 */
export function requireUnroutedSubnet(network: NetworkSpec, routes: readonly Route[]): void {
  const subnet = parseSubnet(`${network.ipv4.gateway}/${network.ipv4.prefix}`);
  const obstacle = routes.find(
    ({ destination, prefix }) => prefix >= WIDE_PREFIX && overlaps(subnet, { base: destination, prefix }),
  );
  if (obstacle === undefined) return;
  const route = formatSubnet({ base: obstacle.destination, prefix: obstacle.prefix });
  throw new MullionError(
    'in_use',
    `The subnet ${formatSubnet(subnet)} of network ${network.name} overlaps ${route}, which the host reaches by ${obstacle.link}.`,
    {
      remedy:
        'Choose another subnet: network.ipv4 in the configuration, or mullion network create NAME --ipv4 SUBNET',
    },
  );
}
