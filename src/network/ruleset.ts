import { MullionError } from '../contract/errors.ts';
import { linkLocalAddress, parseIpv4, parseIpv6 } from '../core/ip.ts';
import { BRIDGE_PREFIX, bridgeName, LINK_PREFIX, type Naming, nftTableName } from '../core/naming.ts';
import { BRIDGE_LIMIT_RULES, BRIDGE_LIMITS, INET_LIMITS, limitChains } from './limits.ts';
import type { Attachment, NetworkSpec } from './network.ts';
import { SYN_PROXY_EXEMPTION, SYN_PROXY_SETS, synProxyChains } from './syn-proxy.ts';

type Family = 'inet' | 'bridge';

/** One entry of a set or map in our tables. */
export interface Element {
  readonly family: Family;
  readonly set: string;
  readonly key: string;
  readonly value?: string;
}

/**
 * Our two tables without entries (nft(8)); which network or VPS exists is only in sets and maps, so that a launch adds
 * a few entries and no rule. Other tables of the host are never touched. A packet must pass all of them (with
 * `answersSyns` there are none that drop anything on its way): where a
 * firewall drops what it forwards (Docker sets that policy), it must be told to accept our bridges, for example by
 * `iptables -I DOCKER-USER -i mb+ -j ACCEPT` and the same with `-o mb+`.
 *
 * - `inet`: host ports forwarded to VPSs, also from the host's own loopback; masquerading; no way from one network
 *   to another; from a VPS to the host only DHCP, DNS and echo requests to its own gateway; rates and shares of new
 *   connections, so that a flood to or from one VPS leaves the others what is theirs; `answersSyns`: and leaves itself
 *   reachable. What a VPS sends to many is no connection: the kernel would keep it as one before a limit could drop it
 *   (br_netfilter, br_nf_local_in). Frames to many whose packet is for one are dropped (RFC 1122, section 3.3.6).
 * - `bridge`: a VPS sends only frames with its own MAC and addresses, and never speaks as a router or DHCP server.
 */
export function renderTables(naming: Naming, answersSyns: boolean): string {
  const table = nftTableName(naming);
  const bridges = `"${BRIDGE_PREFIX(naming)}*"`;
  return `table inet ${table} {
  set loops { type ifname . ifname; }
  set subnets4 { type ipv4_addr; flags interval; }
  set subnets6 { type ipv6_addr; flags interval; }
  set gateways4 { type ifname . ipv4_addr; }
  set gateways6 { type ifname . ipv6_addr; }
  map tcp4 { type inet_service : ipv4_addr . inet_service; }
  map udp4 { type inet_service : ipv4_addr . inet_service; }
  map tcp6 { type inet_service : ipv6_addr . inet_service; }
  map udp6 { type inet_service : ipv6_addr . inet_service; }
  set forwarded { type inet_service; }

${INET_LIMITS}${answersSyns ? `\n${SYN_PROXY_SETS}` : ''}

  chain forwards {
    dnat ip to tcp dport map @tcp4
    dnat ip to udp dport map @udp4
    dnat ip6 to tcp dport map @tcp6
    dnat ip6 to udp dport map @udp6
  }
  chain untracked {
    type filter hook prerouting priority -300; policy accept;
    iifname != ${bridges} accept
    meta pkttype != { broadcast, multicast } accept
    fib daddr type { broadcast, multicast } notrack accept
    counter name foreign drop
  }
  chain prerouting {
    type nat hook prerouting priority -100; policy accept;${answersSyns ? `\n${SYN_PROXY_EXEMPTION}` : ''}
    fib daddr type local jump forwards
  }
  chain output {
    type nat hook output priority -100; policy accept;
    ip6 daddr ::1 accept
    fib daddr type local jump forwards
  }
  chain postrouting {
    type nat hook postrouting priority 100; policy accept;
    oifname ${bridges} ip saddr 127.0.0.0/8 masquerade
    oifname ${bridges} ct status dnat ip saddr @subnets4 masquerade
    oifname ${bridges} ct status dnat ip6 saddr @subnets6 masquerade
    oifname != ${bridges} ip saddr @subnets4 masquerade
    oifname != ${bridges} ip6 saddr @subnets6 masquerade
  }
${limitChains(bridges, answersSyns)}${answersSyns ? `\n${synProxyChains('limits_in')}` : ''}
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname != ${bridges} oifname != ${bridges} accept
    ct state new jump limits
    iifname . oifname @loops accept
    ct state established,related accept
    ct state invalid drop
    ct status dnat accept
    oifname ${bridges} counter name foreign drop
  }
  chain input {
    type filter hook input priority 0; policy accept;
    iifname != ${bridges} accept
    ct state established,related accept
    udp sport 68 udp dport 67 accept
    udp sport 546 udp dport 547 accept
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept
    iifname . ip daddr @gateways4 jump gateway
    iifname . ip6 daddr @gateways6 jump gateway
    counter name foreign drop
  }
  chain gateway {
    icmp type echo-request accept
    icmpv6 type echo-request accept
    meta l4proto { tcp, udp } th dport 53 ct state new jump questions
    udp dport 53 accept
    tcp dport 53 accept
  }
}
table bridge ${table} {
${BRIDGE_LIMITS}
  set macs { type ifname . ether_addr; }
  set addresses4 { type ifname . ipv4_addr; }
  set addresses6 { type ifname . ipv6_addr; }
  set targets6 { typeof iifname . @th,64,128; }
  set reflections { type ifname . ifname; }

  chain prerouting {
    type filter hook prerouting priority -300; policy accept;
    iifname != "${LINK_PREFIX(naming)}*" accept
    iifname . ether saddr != @macs counter name spoofed drop
${BRIDGE_LIMIT_RULES}
    ether type arp jump arp_frames
    ether type ip jump ipv4_frames
    ether type ip6 jump ipv6_frames
    counter name spoofed drop
  }
  chain forward {
    type filter hook forward priority 0; policy accept;
    iifname . oifname @reflections ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 drop
  }
  chain arp_frames {
    arp htype != 1 counter name spoofed drop
    arp ptype != ip counter name spoofed drop
    iifname . arp saddr ether != @macs counter name spoofed drop
    iifname . arp saddr ip @addresses4 accept
    arp operation request arp saddr ip 0.0.0.0 accept
    counter name spoofed drop
  }
  chain ipv4_frames {
    udp sport 67 counter name spoofed drop
    iifname . ip saddr @addresses4 accept
    ip saddr 0.0.0.0 udp sport 68 udp dport 67 accept
    counter name spoofed drop
  }
  chain ipv6_frames {
    udp sport 547 counter name spoofed drop
    icmpv6 type { nd-router-advert, nd-redirect } counter name spoofed drop
    icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @targets6 counter name spoofed drop
    iifname . ip6 saddr @addresses6 accept
    ip6 saddr :: icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @targets6 accept
    ip6 saddr :: icmpv6 type { nd-router-solicit, mld-listener-report, mld2-listener-report } accept
    counter name spoofed drop
  }
}
`;
}

const inet = (set: string, key: string, value?: string): Element => ({
  family: 'inet',
  set,
  key,
  ...(value === undefined ? {} : { value }),
});
const bridge = (set: string, key: string): Element => ({ family: 'bridge', set, key });

export function networkElements(naming: Naming, network: NetworkSpec): Element[] {
  const name = `"${bridgeName(naming, network.index)}"`;
  return [
    inet('loops', `${name} . ${name}`),
    inet('subnets4', `${network.ipv4.gateway}/${network.ipv4.prefix}`),
    inet('subnets6', `${network.ipv6.gateway}/${network.ipv6.prefix}`),
    inet('gateways4', `${name} . ${network.ipv4.gateway}`),
    inet('gateways6', `${name} . ${network.ipv6.gateway}`),
  ];
}

export function attachmentElements(attachment: Attachment): Element[] {
  requireWellFormed(attachment);
  const { nic } = attachment;
  const link = `"${nic.hostLink}"`;
  const addresses = nic.addresses.map(({ address }) => address);
  const ipv4 = addresses.filter((address) => !address.includes(':'));
  const ipv6 = addresses.filter((address) => address.includes(':'));
  const elements = [bridge('macs', `${link} . ${nic.mac}`), bridge('reflections', `${link} . ${link}`)];
  for (const address of ipv4) elements.push(bridge('addresses4', `${link} . ${address}`));
  for (const address of [...ipv6, linkLocalAddress(nic.mac)]) {
    elements.push(bridge('addresses6', `${link} . ${address}`));
    elements.push(bridge('targets6', `${link} . ${hexadecimal(address)}`));
  }
  for (const forward of attachment.forwards) {
    const [first4, first6] = [ipv4[0], ipv6[0]];
    const key = String(forward.hostPort);
    if (first4 !== undefined)
      elements.push(inet(`${forward.protocol}4`, key, `${first4} . ${forward.vpsPort}`));
    if (first6 !== undefined)
      elements.push(inet(`${forward.protocol}6`, key, `${first6} . ${forward.vpsPort}`));
    if (forward.protocol === 'tcp') elements.push(inet('forwarded', key));
  }
  return elements;
}

/** Nothing but these shapes gets into nft commands. */
function requireWellFormed({ nic }: Attachment): void {
  const addressesOk = nic.addresses.every(
    ({ address }) => parseIpv4(address) !== undefined || parseIpv6(address) !== undefined,
  );
  if (
    !/^[a-z0-9-]{1,15}$/.test(nic.hostLink) ||
    !/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/.test(nic.mac) ||
    !addressesOk
  ) {
    throw new MullionError('internal', `The interface ${nic.hostLink} has a malformed name, MAC or address.`);
  }
}

/** A raw payload has no type of its own in nft, so its set holds plain numbers. */
function hexadecimal(address: string): string {
  return `0x${(parseIpv6(address) ?? 0n).toString(16).padStart(32, '0')}`;
}

/** `add element` or `delete element` commands, one for each set. */
export function renderElements(naming: Naming, verb: 'add' | 'delete', elements: readonly Element[]): string {
  const sets = new Map<string, string[]>();
  for (const element of elements) {
    const set = `${element.family} ${nftTableName(naming)} ${element.set}`;
    const keys = sets.get(set) ?? [];
    sets.set(set, keys);
    keys.push(
      verb === 'add' && element.value !== undefined ? `${element.key} : ${element.value}` : element.key,
    );
  }
  return [...sets].map(([set, keys]) => `${verb} element ${set} { ${keys.join(', ')} }\n`).join('');
}

/** Commands that remove our tables, whether or not they are there; in one transaction. */
export function renderRemoval(naming: Naming): string {
  const table = nftTableName(naming);
  return (['inet', 'bridge'] as const)
    .map((family) => `table ${family} ${table}\ndelete table ${family} ${table}\n`)
    .join('');
}
