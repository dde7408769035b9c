import type { Task } from '../contract/tasks.ts';
import type { Context } from './context.ts';
import { Interrupted, type TaskRun, type TaskSubject } from './task-run.ts';

export interface TaskHooks {
  /** Called before anybody hears of the task. */
  readonly onStart?: ((run: TaskRun) => void) | undefined;
  /** Called before the task ends, with what it failed with, if it did; also when its turn never came. */
  readonly onEnd?: ((run: TaskRun, failure: unknown) => Promise<void> | void) | undefined;
}

/** Queues a task that works on something else than a VPS. One that is cancelled while it waits ends at once. */
export async function startTask(
  context: Context,
  queue: string,
  subject: TaskSubject,
  work: (run: TaskRun) => Promise<void>,
  { onStart, onEnd }: TaskHooks = {},
): Promise<Task> {
  const run = context.tasks.create(subject);
  onStart?.(run);
  await context.state.commit([context.tasks.save(run)]);
  const end = async (failure: unknown): Promise<void> => {
    try {
      await onEnd?.(run, failure);
    } finally {
      await context.tasks.end(run, failure, []);
    }
  };
  const brokeOff = (failure: unknown): void =>
    context.deps.logger.error('task broke off', { task: run.id, failure });
  let left = false;
  const leave = (): void => {
    left = true;
    end(run.signal.reason).catch(brokeOff);
  };
  run.signal.addEventListener('abort', leave, { once: true });
  if (run.signal.aborted) leave();
  context.queue
    .run(queue, async () => {
      if (left) return;
      run.signal.removeEventListener('abort', leave);
      let failure: unknown;
      try {
        if (context.closing.aborted) throw new Interrupted();
        run.begun = true;
        await work(run);
      } catch (thrown) {
        failure = thrown ?? new TypeError('nothing was thrown');
      }
      await end(failure);
    })
    .catch(brokeOff);
  return context.tasks.now(run.id);
}
