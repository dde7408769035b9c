import type { Task } from '../contract/tasks.ts';
import type { Context } from './context.ts';
import { Interrupted, type TaskRun, type TaskSubject } from './task-run.ts';

/** Queues a task that works on something else than a VPS. */
export async function startTask(
  context: Context,
  queue: string,
  subject: TaskSubject,
  work: (run: TaskRun) => Promise<void>,
  /** Called before anybody hears of the task. */
  onStart: (run: TaskRun) => void = () => undefined,
): Promise<Task> {
  const run = context.tasks.create(subject);
  onStart(run);
  await context.state.commit([context.tasks.save(run)]);
  context.queue
    .run(queue, async () => {
      let failure: unknown;
      try {
        if (context.closing.aborted) throw new Interrupted();
        run.signal.throwIfAborted();
        run.begun = true;
        await work(run);
      } catch (thrown) {
        failure = thrown ?? new TypeError('nothing was thrown');
      }
      await context.tasks.end(run, failure, []);
    })
    .catch((failure: unknown) => context.deps.logger.error('task broke off', { task: run.id, failure }));
  return context.tasks.now(run.id);
}
