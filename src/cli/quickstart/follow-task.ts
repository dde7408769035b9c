import type { Client } from '../../client/client.ts';
import { MullionError } from '../../contract/error-table.ts';
import type { Task } from '../../contract/tasks.ts';
import type { Report } from './step.ts';

/** Waits for a task's end and shows its tree. @throws the task's error. */
export async function followTask(
  client: Client,
  started: Task,
  report: Report,
  signal: AbortSignal | undefined,
): Promise<Task> {
  let task = started;
  while (task.state === 'running') {
    const { name: _name, state: _state, ...progress } = task.progress;
    report(progress);
    task = await client.call('tasks.info', { params: { id: task.id }, query: { wait: 0.5 }, signal });
  }
  if (task.error !== null) throw MullionError.fromBody(task.error);
  return task;
}
