import { REPO_FLAG } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { usage } from '../parse.ts';
import { VPS } from '../vps-argument.ts';

const keepFlag = (what: string) => ({ kind: 'number', value: 'N', summary: `keep ${what}` }) as const;

export const command = defineCommand({
  summary: 'back a VPS up by itself',
  description:
    'Times are UTC: "hourly :30", "daily 02:00", "weekly sun 03:00", "monthly 1 04:00". Each VPS waits a time of its own of at most --jitter seconds after that. A run that was missed because the daemon was down is made up for.\n\nAfter a good run, backups of the schedule that no --keep rule asks for are deleted, but never those made by hand; without a rule all are kept.',
  arguments: { name: VPS },
  flags: {
    at: { kind: 'text', value: 'WHEN', summary: 'when, for example "daily 02:00"' },
    repo: REPO_FLAG,
    'keep-last': keepFlag('the newest N'),
    'keep-daily': keepFlag('the newest of each of N days'),
    'keep-weekly': keepFlag('the newest of each of N weeks'),
    'keep-monthly': keepFlag('the newest of each of N months'),
    jitter: { kind: 'number', value: 'SECONDS', summary: 'most seconds that it is put off', default: '600' },
  },
  examples: [
    {
      line: 'mullion backup schedule set web --at "daily 02:00" --keep-daily 7 --keep-weekly 4',
      does: 'nightly',
    },
    { line: 'mullion backup schedule set web --at "hourly :30" --keep-last 48', does: 'each hour' },
  ],
  seeAlso: ['backup schedule show', 'events'],
  run: async (context, { arguments: { name }, flags }) => {
    if (flags.at === undefined)
      throw usage('backup schedule set', '--at is needed, such as --at "daily 02:00".');
    const schedule = await context.client.call('backups.setSchedule', {
      params: { name },
      query: context.project,
      body: {
        at: flags.at,
        ...(flags.repo === undefined ? {} : { repository: flags.repo }),
        keep: {
          last: flags['keep-last'] ?? 0,
          daily: flags['keep-daily'] ?? 0,
          weekly: flags['keep-weekly'] ?? 0,
          monthly: flags['keep-monthly'] ?? 0,
        },
        ...(flags.jitter === undefined ? {} : { jitter: flags.jitter }),
      },
    });
    if (context.json) printJson(context, schedule);
    else say(context, `${name} is backed up ${schedule.at}; next at ${schedule.nextAt}`);
    return 0;
  },
});
