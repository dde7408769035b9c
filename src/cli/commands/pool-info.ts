import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printRecord } from '../print-record.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'show one storage pool',
  description:
    'Shows its room, what its backend can do and, in words, what it cannot. With --usage also what each VPS holds, its snapshots, each image with the parts that were made of it, and each memory template of an image. EXCLUSIVE is what nothing else in the pool holds, SHARED is what others hold too: an image and the VPSs from it, a VPS and its snapshots. To delete all snapshots of a VPS frees their EXCLUSIVE; to delete a VPS takes its snapshots along and frees the EXCLUSIVE of both, and what only they share. That is measured file by file and takes a while.',
  arguments: { name: { label: 'NAME', summary: 'name of a pool', complete: 'pool' } },
  flags: { usage: { kind: 'boolean', summary: 'measure what VPSs, snapshots, images and templates hold' } },
  examples: [
    { line: 'mullion pool info default', does: 'all about the pool' },
    { line: 'mullion pool info default --usage', does: 'and who uses it' },
  ],
  seeAlso: ['pool check', 'pool grow'],
  run: async (context, { arguments: { name }, flags }) => {
    const pool = await context.client.call('pools.info', { params: { name } });
    const usage = flags.usage ? await context.client.call('pools.usage', { params: { name } }) : undefined;
    printRecord(context, usage === undefined ? pool : { ...pool, usage }, [
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
    if (usage === undefined || context.json) return 0;
    context.terminal.print('');
    printTable(
      context,
      [
        { title: 'KIND', value: (row) => row.kind },
        { title: 'NAME', value: (row) => row.name, shrink: 1, least: 10 },
        { title: 'PROJECT', value: (row) => row.project, shrink: 2, least: 7 },
        { title: 'USED', value: (row) => formatSize(row.used), align: 'right' },
        { title: 'EXCLUSIVE', value: (row) => formatSize(row.exclusive), align: 'right' },
        { title: 'SHARED', value: (row) => formatSize(row.shared), align: 'right' },
        { title: 'SNAPSHOTS', value: (row) => String(row.snapshots), align: 'right' },
      ],
      usage,
      'Nothing is in the pool yet.',
    );
    return 0;
  },
});

const namesOf = (features: Readonly<Record<string, boolean>>, value: boolean): string =>
  Object.entries(features)
    .filter(([, has]) => has === value)
    .map(([name]) => name)
    .join(', ');
