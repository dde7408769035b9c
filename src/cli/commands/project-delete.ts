import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'delete a project',
  description: 'Refused unless it owns nothing any more.',
  arguments: { name: { label: 'NAME', summary: 'name of a project', complete: 'project' } },
  flags: {},
  examples: [{ line: 'mullion project delete old', does: 'delete one' }],
  run: async (context, { arguments: { name } }) => {
    await context.client.call('projects.delete', {
      params: { name },
    });
    if (context.json) printJson(context, { name });
    else say(context, `The project ${name} is deleted`);
    return 0;
  },
});
