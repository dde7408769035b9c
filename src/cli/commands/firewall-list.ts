import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list firewall groups',
  description: 'Shows the groups of the project with their members.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion firewall list', does: 'every group of the project' }],
  seeAlso: ['firewall info'],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (group) => group.name },
        { title: 'RULES', value: (group) => String(group.rules.length), align: 'right' },
        { title: 'VPS', value: (group) => group.members.join(', '), shrink: 1, least: 12 },
        { title: 'DESCRIPTION', value: (group) => group.description, shrink: 2, least: 10 },
      ],
      await context.client.call('firewall.list', { query: context.project }),
      'There is no firewall group. Make one with: mullion firewall create GROUP',
    );
    return 0;
  },
});
