import { createHash } from 'node:crypto';
import type { FirewallRule } from '../contract/firewall.ts';

/** Counter of a rule, by the number of its group on the node and what it says: it keeps its name when others go. */
export function ruleCounterName(
  group: number,
  { direction, action, protocol, ports, peer }: FirewallRule,
): string {
  const text = JSON.stringify([direction, action, protocol, ports, peer]);
  return `g${group}_${createHash('sha256').update(text).digest('hex').slice(0, 12)}`;
}

/** Counter of what no rule lets into a VPS. */
export const dropCounterName = (vps: string): string => `v${vps}_dropped`;

/**
 * Named counters of what is dropped whatever the groups say. limit_source: new connections from one source to one VPS;
 * limit_receiver, limit_sender: to and from one VPS; limit_held: beyond its share of the connection table; limit_packets,
 * limit_broadcasts, limit_questions: packets of one VPS, those for many, and those to name servers; spoofed: an address,
 * a MAC or a role that is not theirs; foreign: to another network, or to the host.
 */
export const DROP_REASONS = [
  'limit_source',
  'limit_receiver',
  'limit_sender',
  'limit_held',
  'limit_packets',
  'limit_broadcasts',
  'limit_questions',
  'spoofed',
  'foreign',
] as const;
export type DropReason = (typeof DROP_REASONS)[number];

/** Named counter of connection requests that the host answered by cookies for a VPS whose port is flooded. */
export const COOKIES = 'cookies';
