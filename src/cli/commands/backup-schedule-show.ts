import type { BackupCondition } from '../../contract/backups.ts';
import { defineCommand } from '../command.ts';
import type { Tone } from '../output/style.ts';
import { printRecord } from '../print-record.ts';
import { VPS } from '../vps-argument.ts';

const TONES: Readonly<Record<BackupCondition, Tone | undefined>> = {
  none: undefined,
  waiting: 'cyan',
  ok: 'green',
  failed: 'red',
  overdue: 'yellow',
};

export const command = defineCommand({
  summary: 'show when a VPS is backed up, and how that went',
  description: 'Shows the schedule, its rules, the next run and the last results.',
  arguments: { name: VPS },
  flags: {},
  examples: [{ line: 'mullion backup schedule show web', does: 'the schedule of one VPS' }],
  seeAlso: ['backup schedule set', 'backup list'],
  run: async (context, { arguments: { name } }) => {
    const schedule = await context.client.call('backups.schedule', {
      params: { name },
      query: context.project,
    });
    const { condition, lastFailure } = schedule;
    const tone = TONES[condition];
    const keeps = Object.entries(schedule.keep).filter(([, count]) => count > 0);
    printRecord(context, schedule, [
      { label: 'VPS', value: schedule.vps, tone: 'bold' },
      { label: 'State', value: condition, ...(tone === undefined ? {} : { tone }) },
      { label: 'At', value: `${schedule.at} UTC, put off by at most ${schedule.jitter} s` },
      { label: 'Next', value: schedule.nextAt },
      { label: 'Repository', value: schedule.repository },
      {
        label: 'Keeps',
        value: keeps.length === 0 ? 'all' : keeps.map(([name, count]) => `${count} ${name}`).join(', '),
      },
      { label: 'Last good', value: schedule.lastSuccessAt ?? '-' },
      {
        label: 'Last failed',
        value: lastFailure === null ? '-' : `${lastFailure.at}: ${lastFailure.message}`,
      },
    ]);
    return 0;
  },
});
