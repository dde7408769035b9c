import { asMullionError, MullionError } from '../contract/error-table.ts';
import type { Task } from '../contract/tasks.ts';
import { type Context, printJson, say, warn } from './context.ts';
import { followTasks, taskError } from './follow.ts';
import { sanitizeLine } from './output/sanitize.ts';
import { renderError } from './report-error.ts';

/** Requests under way at one time. */
const PARALLEL = 16;

type Outcome = { readonly name: string } & (
  | { readonly task: Task; readonly error?: undefined }
  | { readonly error: MullionError; readonly task?: Task | undefined }
);

/**
 * Does one verb to several things side by side and reports each. The exit code is the worst one; a single failure is
 * reported as the error that it is.
 */
export async function runVerb(
  context: Context,
  names: readonly string[],
  past: string,
  request: (name: string) => Promise<Task>,
): Promise<number> {
  const begun = await inParallel([...new Set(names)], (name) => begin(name, request));
  const outcomes = await finish(context, begun);
  for (const { name, task, error } of outcomes) {
    if (error !== undefined) continue;
    if (context.wait) say(context, `${sanitizeLine(name)} ${past}`);
    else if (!context.json) context.terminal.print(task.id);
    for (const warning of task.warnings) warn(context, `${name}: ${warning}`);
  }
  const failed = outcomes.flatMap(({ error }) => (error === undefined ? [] : [error]));
  const [first] = failed;
  if (first === undefined) {
    if (context.json)
      printJson(
        context,
        outcomes.map(({ task }) => task),
      );
    return 0;
  }
  if (outcomes.length === 1) throw first;
  if (context.json) printJson(context, { error: summary(outcomes, failed.length, first).toBody() });
  else
    for (const line of failed.flatMap((error) => renderError(error, context.terminal)))
      context.terminal.note(line);
  return Math.max(...failed.map(({ entry }) => entry.exitCode));
}

async function begin(name: string, request: (name: string) => Promise<Task>): Promise<Outcome> {
  try {
    return { name, task: await request(name) };
  } catch (thrown) {
    return { name, error: asMullionError(thrown) };
  }
}

async function finish(context: Context, begun: readonly Outcome[]): Promise<Outcome[]> {
  const tasks = await followTasks(
    context,
    begun.flatMap(({ task }) => (task === undefined ? [] : [task])),
  );
  const byId = new Map(tasks.map((task) => [task.id, task]));
  return begun.map((outcome) => {
    if (outcome.error !== undefined) return outcome;
    const task = byId.get(outcome.task.id) ?? outcome.task;
    return task.error === null
      ? { ...outcome, task }
      : { ...outcome, task, error: taskError(task, task.error) };
  });
}

const summary = (outcomes: readonly Outcome[], failures: number, first: MullionError): MullionError =>
  new MullionError(first.code, `${failures} of ${outcomes.length} failed: ${first.message}`, {
    remedy: first.remedy,
    details: {
      results: outcomes.map(({ name, task, error }) => ({ name, task: task?.id, error: error?.toBody() })),
    },
  });

/** Results in the order of the items, with a bounded number under way. */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next; index < items.length; index = next) {
      next += 1;
      const item = items[index];
      if (item !== undefined) results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARALLEL, items.length) }, worker));
  return results;
}
