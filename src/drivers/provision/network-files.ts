import { isIPv4 } from 'node:net';
import type { ArchiveEntry } from '../archive/entry.ts';
import type { Machine, NicSpec } from '../driver.ts';
import { textFile, wanted } from './text-file.ts';

/** Addresses, names and name servers; they work with and without systemd-networkd and systemd-resolved. */
export function networkFiles(machine: Machine): ArchiveEntry[] {
  const { nics } = machine;
  return [
    textFile('etc/hosts', renderHosts(machine)),
    ...(nics.length === 0 ? [] : [textFile('etc/resolv.conf', renderResolvConf(nics))]),
    ...nics.map((nic) =>
      textFile(`etc/systemd/network/10-mullion-${nic.guestLink}.network`, renderNetwork(nic)),
    ),
    ...(nics.length === 0
      ? []
      : [wanted('systemd-networkd.service', '/lib/systemd/system/systemd-networkd.service')]),
  ];
}

/** hosts(5). */
function renderHosts({ name, nics }: Machine): string {
  const own = nics.flatMap((nic) =>
    nic.addresses.map(
      ({ address }) => `${address} ${name}${nic.domain === '' ? '' : `.${nic.domain}`} ${name}`,
    ),
  );
  return [
    '127.0.0.1 localhost',
    '::1 localhost ip6-localhost ip6-loopback',
    'ff02::1 ip6-allnodes',
    'ff02::2 ip6-allrouters',
    ...(own.length === 0 ? [`127.0.1.1 ${name}`] : own),
    '',
  ].join('\n');
}

/** A plain file: programs read it without systemd-resolved, and that takes its servers from it (its manual, "/etc/resolv.conf"). */
function renderResolvConf(nics: readonly NicSpec[]): string {
  const servers = [...new Set(nics.flatMap((nic) => nic.nameservers))].slice(0, 3);
  const domains = [...new Set(nics.map((nic) => nic.domain).filter(Boolean))];
  return [
    ...(domains.length === 0 ? [] : [`search ${domains.join(' ')}`]),
    ...servers.map((server) => `nameserver ${server}`),
    '',
  ].join('\n');
}

/**
 * systemd.network(5). The link is known by its hardware address, as its name depends on the technique; what the host
 * has configured already is kept.
 */
export function renderNetwork(nic: NicSpec): string {
  const gateways = [...new Set(nic.addresses.map(({ gateway }) => gateway).filter(Boolean))];
  return [
    '[Match]',
    `MACAddress=${nic.mac}`,
    '',
    '[Network]',
    ...nic.addresses.map(({ address, prefix }) => `Address=${address}/${prefix}`),
    ...gateways
      .toSorted((one, other) => Number(isIPv4(other)) - Number(isIPv4(one)))
      .map((gateway) => `Gateway=${gateway}`),
    ...nic.nameservers.map((server) => `DNS=${server}`),
    ...(nic.domain === '' ? [] : [`Domains=${nic.domain}`]),
    'DHCP=no',
    'IPv6AcceptRA=no',
    'LinkLocalAddressing=ipv6',
    'KeepConfiguration=yes',
    '',
  ].join('\n');
}
