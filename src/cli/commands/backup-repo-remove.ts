import { REPOSITORY } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'forget a backup repository',
  description:
    'What is in it stays there, but its key is deleted from this host: export it before with backup repo key. Refused while a schedule uses it.',
  arguments: { name: REPOSITORY },
  flags: {},
  examples: [{ line: 'mullion backup repo remove usb', does: 'forget one' }],
  seeAlso: ['backup repo key'],
  run: async (context, { arguments: { name } }) => {
    await context.client.call('backups.removeRepository', { params: { name }, query: context.project });
    if (context.json) printJson(context, { name });
    else say(context, `The repository ${name} is forgotten; what is in it stays`);
    return 0;
  },
});
