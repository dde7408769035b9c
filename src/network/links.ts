import { bridgeName, macAddress, type Naming } from '../core/naming.ts';
import type { NicSpec } from '../drivers/driver.ts';
import type { NetworkSpec } from './network.ts';

/** Lines for `ip -batch` (ip(8)). Each function is one batch. */

const isIpv6 = (address: string): boolean => address.includes(':');

/** The bridge has a MAC of its own, else it would take over one of a VPS and change it as VPSs come and go. */
export function createBridge(naming: Naming, network: NetworkSpec): string[] {
  const mac = macAddress(`bridge ${naming.instance} ${network.index}`);
  return [`link add ${bridgeName(naming, network.index)} address ${mac} type bridge mcast_snooping 0`];
}

/** The bridge's settings below /proc/sys/net: no waiting for address checks, no routers heard, loopback forwards. */
export function bridgeSettings(bridge: string, ipv6: boolean): [path: string, value: string][] {
  return [
    [`ipv4/conf/${bridge}/route_localnet`, '1'],
    ...(ipv6
      ? ([
          [`ipv6/conf/${bridge}/accept_dad`, '0'],
          [`ipv6/conf/${bridge}/accept_ra`, '0'],
        ] as [string, string][])
      : []),
  ];
}

export function raiseBridge(naming: Naming, network: NetworkSpec, ipv6: boolean): string[] {
  const bridge = bridgeName(naming, network.index);
  return [
    `addr replace ${network.ipv4.gateway}/${network.ipv4.prefix} dev ${bridge}`,
    ...(ipv6 ? [`addr replace ${network.ipv6.gateway}/${network.ipv6.prefix} dev ${bridge} nodad`] : []),
    `link set ${bridge} up`,
  ];
}

/**
 * A frame may go out where it came in: with bridge-nf-call-iptables, a VPS that asks for a forward of its own is
 * answered within the bridge. The rules keep everything else from being reflected.
 */
const reflect = (link: string): string => `link set ${link} type bridge_slave hairpin on`;

export const joinBridge = (link: string, bridge: string): string[] => [
  `link set ${link} master ${bridge} up`,
  reflect(link),
];

export const removeAddresses = (addresses: readonly string[], link: string): string[] =>
  addresses.map((address) => `addr del ${address} dev ${link}`);

export const removeLinks = (links: readonly string[]): string[] => links.map((link) => `link del ${link}`);

/** A veth pair with its guest end made in the network namespace of `pid`. */
export function createPair(nic: NicSpec, bridge: string, pid: number): string[] {
  return [
    `link add ${nic.hostLink} up master ${bridge} type veth peer name ${nic.guestLink} address ${nic.mac} netns ${pid}`,
    reflect(nic.hostLink),
  ];
}

/** Run in the guest's namespace; the same again changes nothing. */
export function configureGuest(nic: NicSpec, ipv6: boolean): string[] {
  const addresses = nic.addresses.filter(({ address }) => ipv6 || !isIpv6(address));
  return [
    'link set lo up',
    ...addresses.map(({ address, prefix }) => {
      const flags = isIpv6(address) ? ' nodad' : '';
      return `addr replace ${address}/${prefix} dev ${nic.guestLink}${flags}`;
    }),
    `link set ${nic.guestLink} up`,
    ...addresses.map(({ gateway }) => `route replace default via ${gateway} dev ${nic.guestLink}`),
  ];
}
