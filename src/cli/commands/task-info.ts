import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { renderProgress } from '../output/progress.ts';
import { renderRecord } from '../output/record.ts';
import { taskTone } from '../task-view.ts';

export const command = defineCommand({
  summary: 'show one task with its tree of progress',
  description: 'Shows what the task does, how far each part is, and why it failed if it did.',
  arguments: { id: { label: 'ID', summary: 'id of a task', complete: 'task' } },
  flags: {},
  examples: [{ line: 'mullion task info 5b1c0a', does: 'how far it is' }],
  seeAlso: ['task list', 'task cancel'],
  run: async (context, { arguments: { id } }) => {
    const task = await context.client.call('tasks.info', { params: { id } });
    const { terminal } = context;
    if (context.json) {
      printJson(context, task);
      return 0;
    }
    terminal.printAll([
      ...renderRecord(
        [
          { label: 'Id', value: task.id, tone: 'bold' },
          { label: 'Kind', value: task.kind },
          { label: 'Target', value: task.target },
          { label: 'Project', value: task.project },
          { label: 'State', value: task.state, tone: taskTone(task.state) },
          { label: 'Begun', value: task.createdAt },
          { label: 'Ended', value: task.finishedAt ?? '' },
          { label: 'Error', value: task.error?.message ?? '', tone: 'red' },
          { label: 'Try', value: task.error?.remedy ?? '' },
          ...task.warnings.map((warning) => ({ label: 'Warning', value: warning, tone: 'yellow' as const })),
        ],
        terminal.width,
        terminal.style,
      ),
      '',
      ...renderProgress(task.progress, {
        width: Math.min(terminal.width, 100),
        unicode: terminal.unicode,
        frame: 0,
        style: terminal.style,
      }),
    ]);
    return 0;
  },
});
