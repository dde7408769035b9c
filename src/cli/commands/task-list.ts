import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printTable } from '../print-table.ts';
import { taskTone } from '../task-view.ts';

export const command = defineCommand({
  summary: 'list recent tasks',
  description: 'Shows long-running operations, newest first.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion task list', does: 'what was done lately' }],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'ID', value: (task) => task.id },
        { title: 'KIND', value: (task) => task.kind },
        { title: 'TARGET', value: (task) => task.target, shrink: 2, least: 10 },
        { title: 'STATE', value: (task) => task.state, tone: (task) => taskTone(task.state) },
        { title: 'AGE', value: (task) => formatAge(task.createdAt, Date.now()), align: 'right', shrink: 3 },
      ],
      await context.client.call('tasks.list', { query: context.project }),
      'There was no task yet.',
    );
    return 0;
  },
});
