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
