import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list projects',
  description: 'Shows every project with how much it owns.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion project list', does: 'every tenant of this host' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (project) => project.name },
        { title: 'VPS', value: (project) => String(project.vps), align: 'right' },
        { title: 'NETWORKS', value: (project) => String(project.networks), align: 'right' },
        { title: 'DESCRIPTION', value: (project) => project.description, shrink: 1, least: 10 },
      ],
      await context.client.call('projects.list'),
      'There is no project. Make one with: mullion project create NAME',
    );
    return 0;
  },
});
