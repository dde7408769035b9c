import { linkLocalAddress } from '../core/ip.ts';
import { bridgeName, macAddress, type Naming } from '../core/naming.ts';
import type { NicSpec } from '../drivers/driver.ts';
import type { LinkChange } from '../host/links.ts';
import type { NetworkPlace } from '../host/namespaces.ts';
import type { Attachment, NetworkSpec } from './network.ts';

const isIpv6 = (address: string): boolean => address.includes(':');

/** The bridge has a MAC of its own, else it would take over one of a VPS and change it as VPSs come and go. */
export const bridgeMac = (naming: Naming, network: NetworkSpec): string =>
  macAddress(`bridge ${naming.instance} ${network.index}`);

export const createBridge = (naming: Naming, network: NetworkSpec): LinkChange[] => [
  { type: 'addBridge', link: bridgeName(naming, network.index), mac: bridgeMac(naming, network) },
];

/** Where a VPS is, for the host: the kernel's table of those who were asked is one for all VPSs, and one may fill it. */
export const setNeighbours = (naming: Naming, { nic, network }: Attachment, ipv6: boolean): LinkChange[] =>
  addressesOf(nic, ipv6).map((address) => ({
    type: 'setNeighbour',
    link: bridgeName(naming, network.index),
    address,
    mac: nic.mac,
  }));

export const removeNeighbours = (naming: Naming, { nic, network }: Attachment, ipv6: boolean): LinkChange[] =>
  addressesOf(nic, ipv6).map((address) => ({
    type: 'removeNeighbour',
    link: bridgeName(naming, network.index),
    address,
  }));

const addressesOf = (nic: NicSpec, ipv6: boolean): string[] =>
  [...nic.addresses.map(({ address }) => address), linkLocalAddress(nic.mac)].filter(
    (address) => ipv6 || !isIpv6(address),
  );

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

export function raiseBridge(naming: Naming, network: NetworkSpec, ipv6: boolean): LinkChange[] {
  const link = bridgeName(naming, network.index);
  const segments = ipv6 ? [network.ipv4, network.ipv6] : [network.ipv4];
  return [
    ...segments.map(
      ({ gateway, prefix }) => ({ type: 'setAddress', link, address: gateway, prefix }) as const,
    ),
    { type: 'raise', link },
  ];
}

/**
 * A frame may go out where it came in: with bridge-nf-call-iptables, a VPS that asks for a forward of its own is
 * answered within the bridge. The rules keep everything else from being reflected.
 */
const reflect = (link: string): LinkChange => ({ type: 'reflect', link });

export const joinBridge = (link: string, bridge: string): LinkChange[] => [
  { type: 'join', link, bridge },
  reflect(link),
];

/** `addresses` are of the form address/prefix. */
export const removeAddresses = (addresses: readonly string[], link: string): LinkChange[] =>
  addresses.map((text) => {
    const [address = '', prefix] = text.split('/');
    return { type: 'removeAddress', link, address, prefix: Number(prefix) };
  });

export const removeLinks = (links: readonly string[]): LinkChange[] =>
  links.map((link) => ({ type: 'removeLink', link }));

/** A veth pair with its guest end made in that network namespace. */
export function createPair(nic: NicSpec, bridge: string, place: NetworkPlace): LinkChange[] {
  const { hostLink: link, guestLink: peer, mac } = nic;
  return [{ type: 'addPair', link, bridge, peer, mac, place }, reflect(link)];
}

/** Made in the guest's namespace; the same again changes nothing. `gatewayMac`: that of the bridge. */
export function configureGuest(nic: NicSpec, gatewayMac: string, ipv6: boolean): LinkChange[] {
  const link = nic.guestLink;
  const addresses = nic.addresses.filter(({ address }) => ipv6 || !isIpv6(address));
  return [
    { type: 'raise', link: 'lo' },
    ...addresses.map(({ address, prefix }) => ({ type: 'setAddress', link, address, prefix }) as const),
    { type: 'raise', link },
    ...addresses.map(
      ({ gateway }) => ({ type: 'setNeighbour', link, address: gateway, mac: gatewayMac }) as const,
    ),
    ...addresses.map(({ gateway }) => ({ type: 'setDefaultRoute', link, gateway }) as const),
  ];
}
