import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list backup repositories',
  description: 'Shows where backups of the project can go.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion backup repo list', does: 'their names and places' }],
  seeAlso: ['backup repo add'],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (repository) => repository.name },
        { title: 'URL', value: (repository) => repository.url, shrink: 2, least: 12 },
        {
          title: 'AGE',
          value: ({ createdAt }) => formatAge(createdAt, Date.now()),
          align: 'right',
          shrink: 3,
        },
      ],
      await context.client.call('backups.repositories', { query: context.project }),
      'There is no backup repository yet. Add one with: mullion backup repo add NAME URL',
    );
    return 0;
  },
});
