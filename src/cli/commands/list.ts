import { formatSize } from '../../contract/size-text.ts';
import type { Vps } from '../../contract/vps.ts';
import { defineCommand } from '../command.ts';
import type { Column } from '../output/table.ts';
import { printTable } from '../print-table.ts';
import { stateText, stateTone } from '../vps-view.ts';

/** Shown once there is a schedule. */
const BACKUP: Column<Vps> = {
  title: 'BACKUP',
  value: ({ backup }) => (backup === 'none' ? '-' : backup),
  tone: ({ backup }) => (backup === 'failed' || backup === 'overdue' ? 'red' : undefined),
};

export const command = defineCommand({
  summary: 'list the VPSs of a project',
  description: 'Shows each VPS with its state, technique, image, first address and limits.',
  arguments: {},
  flags: {},
  examples: [
    { line: 'mullion list', does: 'the VPSs of the project default' },
    { line: 'mullion list --project shop', does: 'of another project' },
    { line: "mullion list --json | jq -r '.[].name'", does: 'only the names' },
  ],
  run: async (context) => {
    const vps = await context.client.call('vps.list', { query: context.project });
    const scheduled = vps.some(({ backup }) => backup !== 'none');
    printTable(
      context,
      [
        { title: 'NAME', value: (row) => row.name, shrink: 3, least: 12 },
        { title: 'STATE', value: stateText, tone: (row) => stateTone(row.state) },
        { title: 'TECHNIQUE', value: (row) => row.technique },
        { title: 'IMAGE', value: (row) => row.image, shrink: 4, least: 9 },
        { title: 'ADDRESS', value: (row) => row.addresses[0] ?? '-' },
        ...(scheduled ? [BACKUP] : []),
        { title: 'CPUS', value: (row) => String(row.cpus), align: 'right', shrink: 6 },
        { title: 'MEMORY', value: (row) => formatSize(row.memory), align: 'right', shrink: 5 },
        {
          title: 'SNAPSHOTS',
          value: (row) => (row.snapshotCount === 0 ? '-' : String(row.snapshotCount)),
          align: 'right',
          shrink: 7,
        },
        { title: 'DISK', value: (row) => formatSize(row.disk), align: 'right', shrink: 5 },
      ],
      vps,
      'There is no VPS yet. Make one with: mullion launch debian/12 NAME',
    );
    return 0;
  },
});
