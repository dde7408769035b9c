import { REPO_FLAG } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list backups, oldest first',
  description:
    'Reads the repositories themselves, so it shows also what other hosts put there, and backups of VPSs that are gone.',
  arguments: { name: { label: 'NAME', summary: 'only of this VPS', arity: 'optional', complete: 'vps' } },
  flags: { repo: { ...REPO_FLAG, summary: 'only of this repository' } },
  examples: [
    { line: 'mullion backup list', does: 'all backups of the project' },
    { line: "mullion backup list web --json | jq -r '.[-1].id'", does: 'the newest of one VPS' },
  ],
  seeAlso: ['backup restore', 'backup verify'],
  run: async (context, { arguments: { name }, flags: { repo } }) => {
    printTable(
      context,
      [
        { title: 'ID', value: (backup) => backup.id },
        { title: 'VPS', value: (backup) => backup.vps, shrink: 2, least: 8 },
        { title: 'TECHNIQUE', value: (backup) => backup.technique, shrink: 5 },
        { title: 'IMAGE', value: (backup) => backup.image, shrink: 4 },
        { title: 'REPOSITORY', value: (backup) => backup.repository, shrink: 3 },
        { title: 'HOST', value: (backup) => backup.node, shrink: 6 },
        { title: 'BY', value: (backup) => (backup.schedule ? 'schedule' : 'hand'), shrink: 7 },
        { title: 'AGE', value: (backup) => formatAge(backup.createdAt, Date.now()), align: 'right' },
      ],
      await context.client.call('backups.list', {
        query: {
          ...context.project,
          ...(name === undefined ? {} : { vps: name }),
          ...(repo === undefined ? {} : { repository: repo }),
        },
      }),
      'There is no backup yet. Make one with: mullion backup create NAME',
    );
    return 0;
  },
});
