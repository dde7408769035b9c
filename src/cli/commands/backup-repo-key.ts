import { REPOSITORY } from '../backup-arguments.ts';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';

export const command = defineCommand({
  summary: 'print the key of a backup repository',
  description:
    'Who has the key and reaches the repository can read and change every backup in it; without the key nobody can. Keep it where a loss of this host does not reach.',
  arguments: { name: REPOSITORY },
  flags: {},
  examples: [{ line: 'mullion backup repo key usb > usb.key', does: 'to a file, to be kept elsewhere' }],
  seeAlso: ['backup repo add'],
  run: async (context, { arguments: { name } }) => {
    const key = await context.client.call('backups.repositoryKey', {
      params: { name },
      query: context.project,
    });
    if (context.json) printJson(context, key);
    else context.terminal.print(key.key);
    return 0;
  },
});
