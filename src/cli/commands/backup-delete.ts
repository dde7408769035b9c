import { BACKUP } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';

export const command = defineCommand({
  summary: 'delete backups',
  description:
    'What only they held is freed in the repository; what other backups share stays, and so does an image that was saved in the last day: another host may be making a backup that needs it.',
  arguments: { ids: { ...BACKUP, summary: 'ids of one or more backups', arity: 'many' } },
  flags: {},
  examples: [{ line: 'mullion backup delete 3eb933bb8f0b', does: 'delete one' }],
  seeAlso: ['backup list'],
  run: (context, { arguments: { ids } }) =>
    runVerb(context, ids, 'is deleted', (id) =>
      context.client.call('backups.delete', {
        params: { id },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
