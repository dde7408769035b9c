import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list storage pools',
  description: 'Shows where data lives, how much room there is and what the pool can do.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion pool list', does: 'how much space is free' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (pool) => pool.name },
        { title: 'BACKEND', value: (pool) => pool.backend },
        { title: 'SIZE', value: (pool) => formatSize(pool.size), align: 'right' },
        { title: 'USED', value: (pool) => formatSize(pool.used), align: 'right' },
        { title: 'FREE', value: (pool) => formatSize(pool.free), align: 'right' },
        { title: 'VOLUMES', value: (pool) => String(pool.volumes), align: 'right' },
        { title: 'PATH', value: (pool) => pool.path, shrink: 1, least: 10 },
      ],
      await context.client.call('pools.list'),
      'There is no pool. See: mullion doctor',
    );
    return 0;
  },
});
