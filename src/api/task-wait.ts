import type { Task } from '../contract/tasks.ts';
import type { Engine } from '../engine/contract.ts';

/** The task as it is when it has ended, or after `seconds`. */
export const waitFor = async (engine: Engine, task: Task, seconds: number): Promise<Task> =>
  seconds > 0 ? engine.tasks.wait(task.id, seconds) : task;
