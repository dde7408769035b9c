import type { FirewallGroup } from '../contract/firewall.ts';
import type { Context } from './context.ts';
import { printTable } from './print-table.ts';

/** The rules of a group in their order, with the numbers by which they are removed. */
export function showGroup(context: Context, group: FirewallGroup): void {
  printTable(
    context,
    [
      { title: '#', value: ({ number }) => String(number), align: 'right' },
      { title: 'DIRECTION', value: ({ rule }) => rule.direction },
      { title: 'ACTION', value: ({ rule }) => rule.action },
      { title: 'PROTOCOL', value: ({ rule }) => rule.protocol },
      { title: 'PORTS', value: ({ rule }) => rule.ports.join(',') || 'all', shrink: 2, least: 8 },
      { title: 'PEER', value: ({ rule }) => rule.peer, shrink: 1, least: 10 },
      { title: 'PACKETS', value: ({ rule }) => String(rule.count.packets), align: 'right' },
    ],
    group.rules.map((rule, index) => ({ rule, number: index + 1 })),
    'It has no rule: nothing gets in, everything gets out.',
  );
}
