import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list networks',
  description: 'Shows the networks of a project with their subnets.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion network list', does: 'the networks of the project default' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (network) => network.name, shrink: 2, least: 10 },
        { title: 'IPV4', value: (network) => network.ipv4 },
        { title: 'IPV6', value: (network) => network.ipv6, shrink: 3, least: 12 },
        { title: 'BRIDGE', value: (network) => network.bridge, shrink: 4 },
        { title: 'USED BY', value: (network) => String(network.usedBy), align: 'right' },
      ],
      await context.client.call('networks.list', { query: context.project }),
      'There is no network. Make one with: mullion network create NAME',
    );
    return 0;
  },
});
