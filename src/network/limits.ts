import type { DropReason } from '../core/firewall-counters.ts';
import type { NeighbourRoom } from '../host/neighbour-tables.ts';
import { fillingRule } from './syn-proxy.ts';

/** A second, and at once. What a busy server never reaches and a flood does. */
const RATES = {
  source: [200, 400],
  receiver: [2_000, 4_000],
  sender: [1_000, 4_000],
  packets: [200_000, 200_000],
  broadcasts: [500, 1_000],
  questions: [500, 1_000],
} as const;
/** Connections that the host tracks for one VPS, in each direction; a thirty-second part of the usual table. */
const HELD = 8_192;
const HELD_QUESTIONS = 4_096;

/** Of the host's tables of neighbours, for all VPSs together; the kernel's 1,024 are gone with a few hundred VPSs. */
export const NEIGHBOUR_ROOM: NeighbourRoom = [8_192, 32_768, 65_536];

const over = (key: keyof typeof RATES): string =>
  `limit rate over ${RATES[key][0]}/second burst ${RATES[key][1]} packets`;
const drop = (reason: DropReason): string => `counter name ${reason} drop`;
const declare = (reasons: readonly DropReason[]): string =>
  reasons.map((reason) => `  counter ${reason} { }`).join('\n');
/** Full, it takes no more keys and lets pass what they stand for: the limits of receivers hold then. */
const meter = (name: string, type: string, size: number): string =>
  `  set ${name} { type ${type}; flags dynamic, timeout; timeout 10s; size ${size}; }`;
const counted = (name: string, type: string): string =>
  `  set ${name} { type ${type}; flags dynamic; size 8192; }`;

/** Of the table `inet`: sets, and the chain that each new connection passes. */
export const INET_LIMITS = `${declare(['limit_source', 'limit_receiver', 'limit_sender', 'limit_held', 'limit_questions', 'foreign'])}
${[4, 6]
  .flatMap((family) => {
    const type = `ipv${family}_addr`;
    return [
      meter(`sources${family}`, `${type} . ${type}`, 65_536),
      meter(`receivers${family}`, type, 8_192),
      meter(`senders${family}`, type, 8_192),
      meter(`askers${family}`, type, 8_192),
      counted(`held_in${family}`, type),
      counted(`held_out${family}`, type),
      counted(`held_questions${family}`, type),
    ];
  })
  .join('\n')}`;

/** `bridges`: a pattern of link names. Told by the receiver: what comes for a VPS, and what leaves for elsewhere. */
export const limitChains = (bridges: string, answersSyns: boolean): string => `  chain limits {
    iifname ${bridges} jump limits_out
    oifname ${bridges} jump limits_in
  }
  chain limits_out {
${both((ip, family) => [
  `update @senders${family} { ${ip} saddr ${over('sender')} } ${drop('limit_sender')}`,
  `add @held_out${family} { ${ip} saddr ct count over ${HELD} } ${drop('limit_held')}`,
])}
  }
  chain limits_in {
${both((ip, family) => [
  `update @sources${family} { ${ip} saddr . ${ip} daddr ${over('source')} } ${drop('limit_source')}`,
  `update @receivers${family} { ${ip} daddr ${over('receiver')} } ${drop('limit_receiver')}`,
  `add @held_in${family} { ${ip} daddr ct count over ${HELD} } ${drop('limit_held')}`,
  ...(answersSyns ? [fillingRule(ip, family)] : []),
])}
  }
  chain questions {
${both((ip, family) => [
  `update @askers${family} { ${ip} saddr ${over('questions')} } ${drop('limit_questions')}`,
  `add @held_questions${family} { ${ip} saddr ct count over ${HELD_QUESTIONS} } ${drop('limit_held')}`,
])}
  }`;

function both(rules: (ip: 'ip' | 'ip6', family: 4 | 6) => string[]): string {
  return [...rules('ip', 4), ...rules('ip6', 6)].map((line) => `    ${line}`).join('\n');
}

/** Of the table `bridge`: frames of one VPS, by its link. */
export const BRIDGE_LIMITS = `${declare(['limit_packets', 'limit_broadcasts', 'spoofed'])}
${meter('talkers', 'ifname', 8192)}
${meter('shouters', 'ifname', 8192)}`;
export const BRIDGE_LIMIT_RULES = `    update @talkers { iifname ${over('packets')} } ${drop('limit_packets')}
    ether daddr & 01:00:00:00:00:00 != 00:00:00:00:00:00 update @shouters { iifname ${over('broadcasts')} } ${drop('limit_broadcasts')}`;
