import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'delete a token',
  description: 'Its bearer is refused from now on, and what it has open ends within half a minute.',
  arguments: { name: { label: 'NAME', summary: 'name of a token' } },
  flags: {},
  examples: [{ line: 'mullion token delete shop-ci', does: 'delete one' }],
  seeAlso: ['token list'],
  run: async (context, { arguments: { name } }) => {
    await context.client.call('tokens.delete', { params: { name } });
    if (context.json) printJson(context, { name });
    else say(context, `The token ${name} is deleted`);
    return 0;
  },
});
