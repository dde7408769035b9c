import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printRecord } from '../print-record.ts';

export const command = defineCommand({
  summary: 'show one storage pool',
  description: 'Shows its room, what its backend can do and, in words, what it cannot.',
  arguments: { name: { label: 'NAME', summary: 'name of a pool', complete: 'pool' } },
  flags: {},
  examples: [{ line: 'mullion pool info default', does: 'all about the pool' }],
  run: async (context, { arguments: { name } }) => {
    const pool = await context.client.call('pools.info', { params: { name } });
    printRecord(context, pool, [
      { label: 'Name', value: pool.name, tone: 'bold' },
      { label: 'Backend', value: pool.backend },
      { label: 'Path', value: pool.path },
      { label: 'Size', value: formatSize(pool.size) },
      { label: 'Used', value: formatSize(pool.used) },
      { label: 'Free', value: formatSize(pool.free) },
      { label: 'Volumes', value: String(pool.volumes) },
      { label: 'Can', value: namesOf(pool.features, true) },
      { label: 'Cannot', value: namesOf(pool.features, false) },
      ...pool.warnings.map((warning) => ({ label: 'Warning', value: warning, tone: 'yellow' as const })),
    ]);
    return 0;
  },
});

const namesOf = (features: Readonly<Record<string, boolean>>, value: boolean): string =>
  Object.entries(features)
    .filter(([, has]) => has === value)
    .map(([name]) => name)
    .join(', ');
