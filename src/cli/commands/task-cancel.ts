import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'ask a task to end',
  description: 'It ends at its next safe point and undoes what it had begun.',
  arguments: { id: { label: 'ID', summary: 'id of a task', complete: 'task' } },
  flags: {},
  examples: [{ line: 'mullion task cancel 5b1c0a', does: 'end a build, for example' }],
  run: async (context, { arguments: { id } }) => {
    const task = await context.client.call('tasks.cancel', { params: { id } });
    if (context.json) printJson(context, task);
    else say(context, `The task ${task.id} was asked to end`);
    return 0;
  },
});
