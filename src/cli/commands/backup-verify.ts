import { BACKUP } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';

export const command = defineCommand({
  summary: 'prove that backups can be restored',
  description:
    'Restores each into a scratch VPS, compares what was written with the repository, boots it without any network, has it run a command, shuts it down, checks its disks and deletes it. It needs the room and memory of the VPS meanwhile.',
  arguments: { ids: { ...BACKUP, summary: 'ids of one or more backups', arity: 'many' } },
  flags: {},
  examples: [{ line: 'mullion backup verify 3eb933bb8f0b', does: 'restore, boot, check, delete' }],
  seeAlso: ['backup restore'],
  run: (context, { arguments: { ids } }) =>
    runVerb(context, ids, 'can be restored', (id) =>
      context.client.call('backups.verify', {
        params: { id },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
