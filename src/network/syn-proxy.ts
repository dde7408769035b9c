import { COOKIES } from '../core/firewall-counters.ts';
import { ANY_BRIDGE, ANY_TABLE } from '../core/naming.ts';
import { acceptsNft } from '../host/nft.ts';
import { otherFilter } from '../host/other-filters.ts';
import type { Runner } from '../host/run.ts';

/**
 * What makes a forwarded port count as flooded: connections asked for, a second and at once; or that so many are tracked
 * for its VPS, whatever they came by.
 */
const FILLING = 4_096;
const FLOOD = 'limit rate over 100/second burst 1000 packets';
const ONE_SOURCE = 'limit rate over 200/second burst 400 packets';
/**
 * What the host says for the VPS. Without time stamps a cookie has no room for a window scale or selective
 * acknowledgements; with them, Linux 6.18 adjusts what it echoes to the VPS twice, and the VPS drops that.
 */
const OPTIONS = 'mss 1460';
const FLAGS = 'tcp flags & (fin | syn | rst | ack)';

/** A bridge of another installation is no stranger either: its rules are those of the way by `forward`. */
const BRIDGES = `"${ANY_BRIDGE}*"`;

/** Whether this kernel can answer for a server (module nft_synproxy). */
export const canProxySyns = (run: Runner): Promise<boolean> =>
  acceptsNft(
    run,
    `table inet ${ANY_TABLE}probe {
  chain input { type filter hook input priority 0; ct state untracked synproxy ${OPTIONS}; }
}
`,
  );

/**
 * Why the host does not answer for flooded VPSs, for people to read; undefined when it does. A connection that it opened
 * passes no `forward` chain when it is new: what another firewall keeps out there would come in.
 */
export async function whyNoSynProxy(run: Runner): Promise<string | undefined> {
  if (!(await canProxySyns(run))) return 'this kernel has no nft_synproxy';
  const chain = await otherFilter(run, ANY_TABLE);
  return chain === undefined ? undefined : `another firewall filters: ${chain}`;
}

/** Sets and counter of the table `inet`. */
export const SYN_PROXY_SETS = `  counter ${COOKIES} { }
  set asked { type inet_service; flags dynamic, timeout; timeout 60s; size 4096; }
  set flooded { type inet_service; flags dynamic, timeout; timeout 30s; size 4096; }
  set strangers4 { type ipv4_addr . inet_service; flags dynamic, timeout; timeout 10s; size 65536; }
  set strangers6 { type ipv6_addr . inet_service; flags dynamic, timeout; timeout 10s; size 65536; }
  set filling4 { type ipv4_addr; flags dynamic; size 8192; }
  set filling6 { type ipv6_addr; flags dynamic; size 8192; }`;

/** Last among the limits of what comes in: of one family, `ip` or `ip6`. */
export const fillingRule = (ip: string, family: number): string =>
  `meta l4proto tcp ct status dnat add @filling${family} { ${ip} daddr ct count over ${FILLING} } update @flooded { ct original proto-dst }`;

/** First in `prerouting` of nat: the answer to a cookie is for the host itself, not yet for the VPS. */
export const SYN_PROXY_EXEMPTION = `    iifname != ${BRIDGES} tcp dport @flooded ${FLAGS} == ack accept`;

/**
 * While a forwarded port is flooded the host answers SYNs itself, by cookies (RFC 4987, section 3.6), and tracks nothing
 * until a client has shown that it is there. It then opens the connection to the VPS in that client's name, by the
 * translation of what the host sends. `limits`: a chain that a new connection to a VPS passes.
 */
export const synProxyChains = (limits: string): string => `  chain syns {
    type filter hook prerouting priority -300; policy accept;
    meta l4proto != tcp accept
    iifname ${BRIDGES} accept
    tcp dport != @forwarded accept
    ${FLAGS} != syn accept
    fib daddr type != local accept
    update @asked { tcp dport ${FLOOD} } update @flooded { tcp dport }
    tcp dport != @flooded accept
    update @strangers4 { ip saddr . tcp dport ${ONE_SOURCE} } counter name limit_source drop
    update @strangers6 { ip6 saddr . tcp dport ${ONE_SOURCE} } counter name limit_source drop
    counter name ${COOKIES} notrack
  }
  chain cookies {
    type filter hook input priority -10; policy accept;
    meta l4proto != tcp accept
    iifname ${BRIDGES} accept
    tcp dport != @flooded accept
    ct state untracked ${FLAGS} == syn synproxy ${OPTIONS}
    ct state { new, invalid } ${FLAGS} == ack synproxy ${OPTIONS}
  }
  chain shown {
    type filter hook output priority 0; policy accept;
    ct state new ct status dnat fib saddr type != local jump ${limits}
  }`;
