import type { FirewallRule } from '../contract/firewall.ts';
import { dropCounterName } from '../core/firewall-counters.ts';
import { BRIDGE_PREFIX, firewallTableName, type Naming } from '../core/naming.ts';

/** A member of a group: where its packets are seen. */
export interface FirewallMember {
  readonly vps: string;
  readonly hostLink: string;
  readonly addresses: readonly string[];
}

export interface FirewallGroupSpec {
  /** Number of the group, unique on the node. */
  readonly index: number;
  /** `counter`: its name. `group:NAME` is resolved to a group's number, `vps:NAME` to addresses. */
  readonly rules: readonly (Omit<FirewallRule, 'peer'> & {
    readonly peer: FirewallPeer;
    readonly counter: string;
  })[];
  readonly members: readonly FirewallMember[];
}

export type FirewallPeer =
  | { readonly kind: 'any' }
  | { readonly kind: 'addresses'; readonly addresses: readonly string[] }
  | { readonly kind: 'group'; readonly index: number };

/** Every group that has members, or that a rule names. */
export type FirewallSpec = readonly FirewallGroupSpec[];

export interface Count {
  readonly packets: number;
  readonly bytes: number;
}

const isIpv6 = (address: string): boolean => address.includes(':');
const set = (group: number, family: 4 | 6): string => `g${group}_members${family}`;
const chain = (vps: string, direction: 'in' | 'out'): string => `v${vps}_${direction}`;

/**
 * Tables of their own (nft(8)), before those that part the networks: what passes here still has to pass there, so a rule
 * can open nothing that is shut for everyone. Replies always pass. A member gets in what a rule of its groups accepts;
 * out goes what no rule drops. Counters go on from `counts`.
 *
 * Frames between VPSs of one network are bridged: `inet` sees them because the host hands bridged packets to it
 * (bridge-nf-call-iptables), and conntrack with them. `bridge` drops what has no single receiver and no connection.
 */
export function renderFirewall(
  naming: Naming,
  spec: FirewallSpec,
  counts: ReadonlyMap<string, Count> = new Map(),
): string {
  if (spec.every(({ members }) => members.length === 0)) return '';
  const table = firewallTableName(naming);
  const guarded = membersOf(spec);
  const bridges = `"${BRIDGE_PREFIX(naming)}*"`;
  const addresses = (family: 4 | 6) => (one: FirewallMember) =>
    one.addresses.filter((address) => isIpv6(address) === (family === 6));
  const map = (name: string, family: 4 | 6, direction: 'in' | 'out'): string =>
    block(`map ${name}${family}`, [
      `type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'} : verdict;`,
      elements(
        guarded.flatMap(({ member }) =>
          addresses(family)(member).map((address) => `${address} : jump ${chain(member.vps, direction)}`),
        ),
      ),
    ]);
  const named = new Set([
    ...spec.flatMap(({ rules }) => rules.map(({ counter }) => counter)),
    ...guarded.map(({ member }) => dropCounterName(member.vps)),
  ]);
  const counters = [...named].map((name) => declaration(name, counts.get(name)));
  return [
    `table inet ${table} {`,
    ...counters,
    ...spec.flatMap(({ index, members }) =>
      ([4, 6] as const).map((family) =>
        block(`set ${set(index, family)}`, [
          `type ${family === 4 ? 'ipv4_addr' : 'ipv6_addr'};`,
          elements(members.flatMap(addresses(family))),
        ]),
      ),
    ),
    // A jump needs its chain to be there first.
    ...guarded.flatMap(({ member, groups }) => [
      block(`chain ${chain(member.vps, 'in')}`, [
        'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } return',
        ...groups.flatMap((group) => renderRules(group, 'in')),
        `counter name ${dropCounterName(member.vps)} drop`,
      ]),
      block(`chain ${chain(member.vps, 'out')}`, [
        'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } return',
        ...groups.flatMap((group) => renderRules(group, 'out')),
      ]),
    ]),
    ...(['in', 'out'] as const).flatMap((direction) => [
      map(direction, 4, direction),
      map(direction, 6, direction),
    ]),
    block('chain opened', ['ip daddr vmap @in4', 'ip6 daddr vmap @in6']),
    block('chain forward', [
      'type filter hook forward priority -5; policy accept;',
      `iifname != ${bridges} oifname != ${bridges} accept`,
      'ct state established,related accept',
      'ip saddr vmap @out4',
      'ip6 saddr vmap @out6',
      'ip daddr vmap @in4',
      'ip6 daddr vmap @in6',
    ]),
    // A connection that the host opened for a client that answered its cookie.
    block('chain output', [
      'type filter hook output priority -5; policy accept;',
      'ct state new ct status dnat fib saddr type != local jump opened',
    ]),
    '}',
    `table bridge ${table} {`,
    block('set members', ['type ifname;', elements(guarded.map(({ member }) => `"${member.hostLink}"`))]),
    block('chain forward', [
      'type filter hook forward priority -5; policy accept;',
      'oifname != @members accept',
      'ether type arp accept',
      'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept',
      'ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 drop',
    ]),
    '}',
    '',
  ].join('\n');
}

export function renderFirewallRemoval(naming: Naming): string {
  const table = firewallTableName(naming);
  return (['inet', 'bridge'] as const)
    .map((family) => `table ${family} ${table}\ndelete table ${family} ${table}\n`)
    .join('');
}

/** Each VPS once, with its groups in their order. */
function membersOf(spec: FirewallSpec): { member: FirewallMember; groups: FirewallGroupSpec[] }[] {
  const found = new Map<string, { member: FirewallMember; groups: FirewallGroupSpec[] }>();
  for (const group of spec) {
    for (const member of group.members) {
      const entry = found.get(member.vps) ?? { member, groups: [] };
      entry.groups.push(group);
      found.set(member.vps, entry);
    }
  }
  return [...found.values()];
}

function renderRules({ rules }: FirewallGroupSpec, direction: 'in' | 'out'): string[] {
  return rules
    .filter((rule) => rule.direction === direction)
    .flatMap(({ peer, protocol, ports, counter, action }) => {
      const verdict = `counter name ${counter} ${action === 'accept' ? 'return' : 'drop'}`;
      return peers(peer, direction).map((one) =>
        [one, renderProtocol(protocol, ports), verdict].filter(Boolean).join(' '),
      );
    });
}

function peers(peer: FirewallPeer, direction: 'in' | 'out'): string[] {
  const field = direction === 'in' ? 'saddr' : 'daddr';
  switch (peer.kind) {
    case 'any':
      return [''];
    case 'group':
      return [`ip ${field} @${set(peer.index, 4)}`, `ip6 ${field} @${set(peer.index, 6)}`];
    case 'addresses':
      return peer.addresses.map((address) => `${isIpv6(address) ? 'ip6' : 'ip'} ${field} ${address}`);
  }
}

function renderProtocol(protocol: FirewallRule['protocol'], ports: readonly string[]): string {
  switch (protocol) {
    case 'any':
      return '';
    case 'icmp':
      return 'meta l4proto { icmp, ipv6-icmp }';
    case 'tcp':
    case 'udp':
      return ports.length === 0 ? `meta l4proto ${protocol}` : `${protocol} dport { ${merged(ports)} }`;
  }
}

/** A set takes no ranges that overlap. */
function merged(ports: readonly string[]): string {
  const ranges = ports
    .map((text) => {
      const [first = 0, last = first] = text.split('-').map(Number);
      return { first, last };
    })
    .sort((a, b) => a.first - b.first);
  const joined: { first: number; last: number }[] = [];
  for (const range of ranges) {
    const before = joined.at(-1);
    if (before !== undefined && range.first <= before.last + 1)
      before.last = Math.max(before.last, range.last);
    else joined.push({ ...range });
  }
  return joined.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(', ');
}

const declaration = (name: string, count: Count | undefined): string =>
  `  counter ${name} { packets ${count?.packets ?? 0} bytes ${count?.bytes ?? 0}; }`;
const elements = (items: readonly string[]): string =>
  items.length === 0 ? '' : `elements = { ${items.join(', ')} }`;
const block = (head: string, lines: readonly string[]): string =>
  [`  ${head} {`, ...lines.filter(Boolean).map((line) => `    ${line}`), '  }'].join('\n');
