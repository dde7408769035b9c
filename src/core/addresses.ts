import { createHash } from 'node:crypto';
import { MullionError } from '../contract/errors.ts';
import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './ip.ts';

/** An IPv4 subnet; `base` has no host bits. */
export interface Subnet {
  readonly base: number;
  readonly prefix: number;
}
/** A gateway's address and the length of its prefix, as a NetworkSpec has it. */
export interface Segment {
  readonly gateway: string;
  readonly prefix: number;
}
export interface AddressPair {
  readonly ipv4: string;
  readonly ipv6: string;
}

/** Subnet of the network default, unless the configuration names another. */
export const DEFAULT_SUBNET = '10.77.0.0/24';
/** Networks without a subnet of their own choice get a /24 from 10.78.0.0 to 10.255.255.0. */
const POOL_FIRST = 10 * 2 ** 24 + 78 * 2 ** 16;
const POOL_SUBNETS = (256 - 78) * 256;
const SHORTEST_PREFIX = 16;
const LONGEST_PREFIX = 29;
const IPV6_PREFIX = 64;
/** Private use (RFC 1918), shared (RFC 6598) and benchmarking (RFC 2544) address space. */
const PRIVATE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'];

const sizeOf = (prefix: number): number => 2 ** (32 - prefix);

/**
 * `10.80.0.0/24` as numbers; host bits are cleared.
 * @throws MullionError `invalid_request` when it is no IPv4 subnet.
 */
export function parseSubnet(text: string): Subnet {
  const match = /^([^/]+)\/([0-9]{1,2})$/.exec(text);
  const address = parseIpv4(match?.[1] ?? '');
  const prefix = Number(match?.[2]);
  if (address === undefined || !(prefix >= 0 && prefix <= 32)) {
    throw new MullionError('invalid_request', `"${text}" is not an IPv4 subnet.`, {
      remedy: 'Give an address and a prefix, for example 10.80.0.0/24',
    });
  }
  return { base: address - (address % sizeOf(prefix)), prefix };
}

export const formatSubnet = (subnet: Subnet): string => `${formatIpv4(subnet.base)}/${subnet.prefix}`;

export function overlaps(a: Subnet, b: Subnet): boolean {
  return a.base < b.base + sizeOf(b.prefix) && b.base < a.base + sizeOf(a.prefix);
}

/**
 * Checks a subnet that somebody asked for: private, of a useful size, apart from `taken`.
 * @throws MullionError `invalid_request`; `in_use` when it overlaps another.
 */
export function requireUsableSubnet(text: string, taken: readonly string[]): Subnet {
  const subnet = parseSubnet(text);
  const unfit = (why: string): MullionError =>
    new MullionError('invalid_request', `The subnet ${formatSubnet(subnet)} cannot be used: ${why}.`, {
      remedy: `Choose a private subnet with a prefix of /${SHORTEST_PREFIX} to /${LONGEST_PREFIX}, for example 10.80.0.0/24`,
    });
  if (subnet.prefix < SHORTEST_PREFIX || subnet.prefix > LONGEST_PREFIX) {
    throw unfit(`its prefix is not between /${SHORTEST_PREFIX} and /${LONGEST_PREFIX}`);
  }
  if (!PRIVATE.some((range) => overlaps(parseSubnet(range), subnet))) {
    throw unfit('it is not in address space for private networks');
  }
  const other = taken.find((text) => overlaps(parseSubnet(text), subnet));
  if (other !== undefined) {
    throw new MullionError(
      'in_use',
      `The subnet ${formatSubnet(subnet)} overlaps ${other}, which is in use.`,
      {
        remedy: 'Choose another subnet, or leave it out and one is chosen',
      },
    );
  }
  return subnet;
}

/**
 * A free /24 for the network numbered `index`: the one of that number, or the next that overlaps none of `taken`.
 * @throws MullionError `quota_exceeded` when there is none.
 */
export function chooseSubnet(taken: readonly string[], index: number): string {
  const subnets = taken.map(parseSubnet);
  for (let step = 0; step < POOL_SUBNETS; step++) {
    const candidate = { base: POOL_FIRST + ((index + step) % POOL_SUBNETS) * 256, prefix: 24 };
    const obstacle = subnets.find((subnet) => overlaps(subnet, candidate));
    if (obstacle === undefined) return formatSubnet(candidate);
  }
  throw new MullionError('quota_exceeded', 'All subnets from 10.78.0.0 to 10.255.255.0 are in use.', {
    remedy: 'Delete a network, or name a subnet of another range with --ipv4',
  });
}

/** The gateway is the subnet's first host address. */
export function ipv4Segment(subnet: string): Segment {
  const { base, prefix } = parseSubnet(subnet);
  return { gateway: formatIpv4(base + 1), prefix };
}

/**
 * A unique local /64 (RFC 4193 section 3.1): the 40-bit global id is a hash of `seed`, which should differ between
 * installations; the subnet id is the network's `index`.
 */
export function ipv6Segment(seed: string, index: number): Segment {
  const digest = createHash('sha256').update(`ula:${seed}`).digest('hex');
  const network = BigInt(`0xfd${digest.slice(0, 10)}`) * 65_536n + BigInt(index % 65_536);
  return { gateway: formatIpv6((network << 64n) + 1n), prefix: IPV6_PREFIX };
}

/**
 * The lowest free host address of the network, and the IPv6 address with the same host number. Never the network's
 * own address, the gateway or the broadcast address.
 * @param taken IPv4 addresses in use
 * @throws MullionError `quota_exceeded` when none is free.
 */
export function allocateAddress(
  network: { readonly ipv4: Segment; readonly ipv6: Segment },
  taken: ReadonlySet<string>,
): AddressPair {
  const subnet = parseSubnet(`${network.ipv4.gateway}/${network.ipv4.prefix}`);
  for (let host = 1; host < sizeOf(subnet.prefix) - 1; host++) {
    const ipv4 = formatIpv4(subnet.base + host);
    if (ipv4 === network.ipv4.gateway || taken.has(ipv4)) continue;
    return { ipv4, ipv6: matchingIpv6(network.ipv6, host) };
  }
  throw new MullionError('quota_exceeded', `The subnet ${formatSubnet(subnet)} has no free address left.`, {
    remedy: 'Delete a VPS of this network, or launch on another one: mullion network create NAME',
  });
}

/** This very address and its IPv6 companion; undefined when it is not of the network, or not free. */
export function sameAddress(
  network: { readonly ipv4: Segment; readonly ipv6: Segment },
  taken: ReadonlySet<string>,
  ipv4: string,
): AddressPair | undefined {
  const subnet = parseSubnet(`${network.ipv4.gateway}/${network.ipv4.prefix}`);
  const host = (parseIpv4(ipv4) ?? 0) - subnet.base;
  const isHost = host >= 1 && host < sizeOf(subnet.prefix) - 1;
  if (!isHost || ipv4 === network.ipv4.gateway || taken.has(ipv4)) return undefined;
  return { ipv4, ipv6: matchingIpv6(network.ipv6, host) };
}

function matchingIpv6(segment: Segment, host: number): string {
  const gateway = parseIpv6(segment.gateway);
  if (gateway === undefined) throw new TypeError(`not an IPv6 address: ${segment.gateway}`);
  const hostBits = BigInt(128 - segment.prefix);
  return formatIpv6(((gateway >> hostBits) << hostBits) + BigInt(host));
}
