import type { Client } from '../client/client.ts';
import { type ErrorBody, MullionError } from '../contract/error-table.ts';
import type { Progress, Task } from '../contract/tasks.ts';
import { type Context, printJson, warn } from './context.ts';
import { LiveArea } from './output/live-area.ts';
import { renderProgress } from './output/progress.ts';

/** Seconds that one request waits for a task's end. */
const PATIENCE = 60;
/** While progress is drawn, each request waits this long, and the first one a little, so that quick tasks draw nothing. */
const GLANCE = 0.2;

/** The `wait` of the request that makes a task. */
export const firstWait = (context: Context): number =>
  !context.wait ? 0 : context.terminal.canRedraw && !context.quiet ? GLANCE : PATIENCE;

/**
 * Waits for tasks side by side, drawing their trees on a terminal. Answers them as they ended; a task that failed is
 * an answer, not an error.
 */
export async function followTasks(context: Context, started: readonly Task[]): Promise<Task[]> {
  if (!context.wait) return [...started];
  const tasks = [...started];
  const draws = context.terminal.canRedraw && !context.quiet && tasks.some(isRunning);
  const area = new LiveArea(context.terminal.errorStream);
  let frame = 0;
  const draw = (): void => {
    const { columns, rows } = context.terminal.errorSize();
    const look = { width: columns, unicode: context.terminal.unicode, style: context.terminal.errorStyle };
    const lines = tasks.filter(isRunning).flatMap((task) => renderProgress(titled(task), { ...look, frame }));
    frame += 1;
    area.draw(lines, rows);
  };
  const timer = draws ? setInterval(draw, 100) : undefined;
  const interrupted = onInterrupt(() => {
    area.clear();
    for (const task of tasks.filter(isRunning)) {
      context.terminal.note(`The task ${task.id} goes on; end it with: mullion task cancel ${task.id}`);
    }
  });
  try {
    await Promise.all(
      tasks.map(async (task, index) => {
        let latest = task;
        while (isRunning(latest)) {
          latest = await nextLook(context.client, latest, draws ? GLANCE : PATIENCE);
          tasks[index] = latest;
        }
      }),
    );
  } finally {
    clearInterval(timer);
    interrupted();
    area.clear();
  }
  return tasks;
}

/** Waits for one task. @throws the error that it failed with */
export async function followTask(context: Context, started: Task): Promise<Task> {
  const [task = started] = await followTasks(context, [started]);
  if (task.error !== null) throw taskError(task, task.error);
  for (const warning of task.warnings) warn(context, warning);
  return task;
}

/** With --no-wait: prints the task instead of waiting. True when it did. */
export function handedOver(context: Context, task: Task): boolean {
  if (context.wait) return false;
  if (context.json) printJson(context, task);
  else context.terminal.print(task.id);
  return true;
}

export const taskError = (task: Task, error: ErrorBody): MullionError =>
  MullionError.fromBody({ ...error, details: { task: task.id, ...error.details } });

const isRunning = (task: Task): boolean => task.state === 'running';

const titled = (task: Task): Progress => ({
  ...task.progress,
  state: 'running',
  name: `${task.kind.split('.').at(-1) ?? task.kind} ${task.target}`,
});

async function nextLook(client: Client, task: Task, wait: number): Promise<Task> {
  try {
    return await client.call('tasks.info', { params: { id: task.id }, query: { wait } });
  } catch (thrown) {
    if (!(thrown instanceof MullionError) || thrown.code !== 'daemon_unreachable') throw thrown;
    throw new MullionError('daemon_unreachable', `${thrown.message} The task ${task.id} was under way.`, {
      remedy: `Start it with: mullion daemon start; it then finishes or undoes the task: mullion task info ${task.id}`,
      cause: thrown,
    });
  }
}

/** Runs `before` and ends the process when the user presses Ctrl-C; answers the way to stop listening. */
function onInterrupt(before: () => void): () => void {
  const handler = (): void => {
    before();
    process.exit(130);
  };
  process.once('SIGINT', handler);
  return () => process.off('SIGINT', handler);
}
