import type { Task } from '../contract/tasks.ts';
import type { Client } from './client.ts';

/** Seconds that one request waits. */
const PATIENCE = 60;

/** Follows a task until it has ended, well or not. */
export async function endOfTask(client: Client, begun: Task, signal?: AbortSignal): Promise<Task> {
  let task = begun;
  while (task.state === 'running') {
    const query = { wait: PATIENCE };
    task = await client.call('tasks.info', { params: { id: task.id }, query, signal });
  }
  return task;
}
