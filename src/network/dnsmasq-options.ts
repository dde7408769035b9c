import { formatSubnet, parseSubnet } from '../core/addresses.ts';
import { formatIpv4, formatIpv6, parseIpv6 } from '../core/ip.ts';
import { insideFolder } from '../host/dnsmasq.ts';
import type { Attachment, NetworkSpec } from './network.ts';

/** Sub-folders of a network's folder: a file for each VPS in each. */
export const NAMES_FOLDER = 'names';
export const LEASES_FOLDER = 'leases';
export const PID_FILE = 'dnsmasq.pid';

/**
 * Options of a network's server (dnsmasq(8)). It answers names of its own network only, gives out reserved addresses
 * only, and asks the host's resolvers for everything else. New files in its folders are read at once; a removed DHCP
 * reservation goes with a reload.
 */
export function dnsmasqOptions(
  network: NetworkSpec,
  bridge: string,
  account: string,
  ipv6: boolean,
): string[] {
  const subnet = parseSubnet(`${network.ipv4.gateway}/${network.ipv4.prefix}`);
  const netmask = formatIpv4((2 ** 32 - 2 ** (32 - subnet.prefix)) >>> 0);
  const [base4] = formatSubnet(subnet).split('/');
  return [
    '--conf-file=/dev/null',
    `--user=${account}`,
    `--interface=${bridge}`,
    '--except-interface=lo',
    '--bind-dynamic',
    `--pid-file=${insideFolder(PID_FILE)}`,
    '--no-hosts',
    `--hostsdir=${insideFolder(NAMES_FOLDER)}`,
    `--dhcp-hostsdir=${insideFolder(LEASES_FOLDER)}`,
    `--dhcp-range=${base4},static,${netmask},12h`,
    ...(ipv6 ? [`--dhcp-range=${ipv6Base(network)},static,${network.ipv6.prefix},12h`, '--enable-ra'] : []),
    '--dhcp-authoritative',
    '--leasefile-ro',
    '--quiet-dhcp',
    '--quiet-dhcp6',
    '--quiet-ra',
    `--domain=${network.domain}`,
    `--local=/${network.domain}/`,
    '--domain-needed',
    '--bogus-priv',
  ];
}

function ipv6Base({ ipv6 }: NetworkSpec): string {
  const hostBits = BigInt(128 - ipv6.prefix);
  return formatIpv6(((parseIpv6(ipv6.gateway) ?? 0n) >> hostBits) << hostBits);
}

/** A file of the names folder, in the format of hosts(5). */
export function namesFile({ hostname, network, nic }: Attachment): string {
  return nic.addresses
    .map(({ address }) => `${address} ${hostname}.${network.domain} ${hostname}\n`)
    .join('');
}

/** A file of the leases folder: one value of dnsmasq's option dhcp-host. */
export function leasesFile({ hostname, nic }: Attachment): string {
  const addresses = nic.addresses.map(({ address }) => (address.includes(':') ? `[${address}]` : address));
  return `${[nic.mac, ...addresses, hostname].join(',')}\n`;
}
