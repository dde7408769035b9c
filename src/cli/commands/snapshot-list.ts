import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printTable } from '../print-table.ts';
import { snapshotWords } from '../snapshot-view.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'list the snapshots of a VPS',
  description: 'Shows them oldest first, with what each is worth.',
  arguments: { name: VPS },
  flags: {},
  examples: [{ line: 'mullion snapshot list web', does: 'what web can go back to' }],
  run: async (context, { arguments: { name } }) => {
    const all = await context.client.call('snapshots.list', { params: { name }, query: context.project });
    const now = Date.now();
    printTable(
      context,
      [
        { title: 'SNAPSHOT', value: (row) => row.name },
        { title: 'AGE', value: (row) => formatAge(row.createdAt, now), align: 'right' },
        { title: 'CONSISTENCY', value: (row) => row.consistency },
        { title: 'MEMORY', value: (row) => (row.stateful ? 'kept' : '-') },
        { title: 'TECHNIQUE', value: (row) => row.technique },
        { title: 'MEANING', value: snapshotWords, shrink: 1, least: 10 },
      ],
      all,
      `${name} has no snapshot yet. Make one with: mullion snapshot create ${name}`,
    );
    return 0;
  },
});
