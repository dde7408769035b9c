import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'delete a network',
  description: 'Refused while a VPS uses it.',
  arguments: { name: { label: 'NAME', summary: 'name of a network', complete: 'network' } },
  flags: {},
  examples: [{ line: 'mullion network delete old', does: 'delete one' }],
  run: async (context, { arguments: { name } }) => {
    await context.client.call('networks.delete', {
      params: { name },
      query: context.project,
    });
    if (context.json) printJson(context, { name });
    else say(context, `The network ${name} is deleted`);
    return 0;
  },
});
