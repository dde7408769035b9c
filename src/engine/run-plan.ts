import { type Errand, planErrand } from '../core/errand.ts';
import {
  applyStep,
  beginStep,
  type Goal,
  isAlive,
  plan,
  reverseOf,
  type Stage,
  type Step,
} from '../core/plan.ts';
import { describeStep } from '../core/step-text.ts';
import { UndoStack } from '../core/undo.ts';
import type { Survival } from '../store/store.ts';
import type { Context } from './context.ts';
import { desiredOf } from './desired.ts';
import { Scope } from './executors/scope.ts';
import { performStep } from './executors/table.ts';
import { Interrupted, type TaskRun } from './task-run.ts';

/**
 * Plans the way of a VPS to a goal and goes it. A failure on the way to a running VPS is undone, so that nothing
 * half-made is left; on the way down there is nothing to undo. What was seen stands in the record either way.
 * @throws Interrupted when the daemon ends, with nothing undone
 */
export async function reach(
  context: Context,
  id: string,
  goal: Goal,
  task: TaskRun,
  signal: AbortSignal = task.signal,
): Promise<void> {
  const { record } = new Scope(context, id, signal);
  const stages = plan(desiredOf(context, record, goal), record.observed);
  await go(context, id, stages, isAlive(goal), task, signal);
}

/** Goes the way of one errand, whatever becomes of it. */
export async function goThrough(context: Context, id: string, errand: Errand, task: TaskRun): Promise<void> {
  const { record } = new Scope(context, id, task.signal);
  const stages = planErrand(errand, desiredOf(context, record), record.observed);
  await go(context, id, stages, false, task, task.signal);
}

/** Does what is to be done once, and forgets it. What fails on the way is not undone: an errand ends as a whole or changes nothing. */
export async function runErrand(context: Context, id: string, task: TaskRun): Promise<void> {
  const scope = new Scope(context, id, task.signal);
  const { errand } = scope.record;
  if (errand === null) return;
  await goThrough(context, id, errand, task);
  scope.update({ errand: null });
}

async function go(
  context: Context,
  id: string,
  stages: readonly Stage[],
  upward: boolean,
  task: TaskRun,
  signal: AbortSignal,
): Promise<void> {
  const scope = new Scope(context, id, signal, (text) => task.warn(text));
  await using undo = new UndoStack((what, failure) =>
    context.deps.logger.error('undo failed', { vps: id, task: task.id, step: what, failure }),
  );
  for (const [index, stage] of stages.entries()) {
    if (context.closing.aborted) {
      undo.commit();
      throw new Interrupted();
    }
    signal.throwIfAborted();
    // The handle is saved before the guest runs: the next daemon can always find a guest that runs. When the machine ends,
    // the guest ends with it.
    if (index > 0 && stage.some(({ type }) => type === 'start'))
      await saveProgress(context, id, task, 'process');
    const outcomes = await Promise.allSettled(
      stage.map(async (step) => {
        const before = scope.record.observed;
        const reverse = upward ? reverseOf(step, before) : undefined;
        if (reverse !== undefined) undo.push(describeStep(reverse), () => reverseStep(context, id, reverse));
        scope.update({ observed: beginStep(before, step) });
        await task.part(describeStep(step), (node) => takeStep(scope.withProgress(node), step));
        task.steps.push(step.type);
      }),
    );
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  }
  undo.commit();
}

async function takeStep(scope: Scope, step: Step): Promise<void> {
  await performStep(scope, step);
  scope.update({ observed: applyStep(scope.record.observed, step) });
}

/** An undo is never cut short by the cancellation that caused it. */
const reverseStep = (context: Context, id: string, step: Step): Promise<void> =>
  takeStep(new Scope(context, id, new AbortController().signal), step);

/** Makes the VPS's record and the task's cursor durable. */
export async function saveProgress(
  context: Context,
  id: string,
  task: TaskRun,
  survival: Survival = 'machine',
): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined) return;
  await context.state.commit([context.state.vps.put(record), context.tasks.save(task)], [], survival);
}
