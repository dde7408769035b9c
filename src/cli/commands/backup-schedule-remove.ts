import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'no longer back a VPS up by itself',
  description: 'Backups that were made stay.',
  arguments: { name: VPS },
  flags: {},
  examples: [{ line: 'mullion backup schedule remove web', does: 'end it' }],
  seeAlso: ['backup schedule set'],
  run: async (context, { arguments: { name } }) => {
    await context.client.call('backups.removeSchedule', { params: { name }, query: context.project });
    if (context.json) printJson(context, { name });
    else say(context, `${name} has no backup schedule any more`);
    return 0;
  },
});
