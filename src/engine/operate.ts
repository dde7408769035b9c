import { asMullionError, ERRORS, MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import type { VpsState } from '../contract/vps.ts';
import { type LifecycleEvent, requireMove } from '../core/lifecycle.ts';
import { type Goal, isAlive } from '../core/plan.ts';
import type { Context } from './context.ts';
import { runConversion } from './conversion.ts';
import { pendingRestart } from './desired.ts';
import { watch } from './exit-watch.ts';
import { collectReplaced } from './images.ts';
import { lastLines } from './last-lines.ts';
import type { VpsRecord } from './records.ts';
import { reach, runErrand } from './run-plan.ts';
import { claimsOf } from './state.ts';
import { Interrupted, type TaskRun } from './task-run.ts';

export type Operation =
  | 'vps.launch'
  | 'vps.start'
  | 'vps.stop'
  | 'vps.restart'
  | 'vps.pause'
  | 'vps.resume'
  | 'vps.set'
  | 'vps.delete'
  | 'vps.copy'
  | 'vps.snapshot'
  | 'vps.restore'
  | 'vps.unsnapshot'
  | 'vps.convert'
  | 'vps.ended';

export interface OperationRequest {
  readonly kind: Operation;
  readonly event: LifecycleEvent;
  /** What is wanted from now on. */
  readonly patch: (record: VpsRecord) => Partial<VpsRecord>;
  /** Looked at when its turn has come; false: there is nothing to do any more. */
  readonly stillWanted?: ((record: VpsRecord) => boolean) | undefined;
  /** Takes a failed change of properties back. */
  readonly revert?: Partial<VpsRecord> | undefined;
  /** Which kinds of what is under way on the VPS it cancels, to make way for itself. */
  readonly supersede?: ((kind: string) => boolean) | undefined;
  /** Called when all is done, also when it failed. */
  readonly afterwards?: (() => void) | undefined;
}

/**
 * Queues an operation on a VPS and answers its task. When nothing else is under way on it, a state that does not allow
 * the operation is refused at once; else that shows when its turn has come, in the task.
 */
export async function operate(context: Context, record: VpsRecord, request: OperationRequest): Promise<Task> {
  const { id, name, project } = record;
  if (context.closing.aborted) throw new MullionError('daemon_unreachable', 'The daemon is about to end.');
  const mustWait = context.tasks.isWorkingOn(id);
  if (!mustWait) requireMove(name, record.state, request.event);
  const run = context.tasks.create({ kind: request.kind, project, target: name, vps: id });
  if (mustWait) {
    await context.state.commit([context.tasks.save(run)]);
    if (request.supersede !== undefined) context.tasks.makeWayFor(run, request.supersede);
  }
  const accepted = Promise.withResolvers<void>();
  context.queue
    .run(id, async () => {
      try {
        if (!(await begin(context, id, request, run))) return accepted.resolve();
      } catch (failure) {
        if (mustWait) await context.tasks.end(run, failure, []);
        else context.tasks.discard(run);
        return accepted.reject(failure);
      }
      accepted.resolve();
      await pursue(context, id, run, request.revert);
      request.afterwards?.();
    })
    .catch((failure: unknown) => context.deps.logger.error('operation broke off', { vps: id, failure }));
  if (mustWait) accepted.promise.catch(() => undefined);
  else await accepted.promise;
  return context.tasks.now(run.id);
}

/** Makes the wish durable. False when it is no longer wanted. */
async function begin(
  context: Context,
  id: string,
  request: OperationRequest,
  run: TaskRun,
): Promise<boolean> {
  if (context.closing.aborted) throw new Interrupted();
  const record = context.state.vps.get(id);
  if (record === undefined && request.event === 'deleteByForce') {
    await context.tasks.end(run, undefined, []);
    return false;
  }
  if (record === undefined) {
    throw new MullionError('not_found', `The VPS ${run.subject.target} is gone.`, {
      remedy: 'See what there is with: mullion list',
    });
  }
  if (request.stillWanted?.(record) === false) {
    await context.tasks.end(run, undefined, []);
    return false;
  }
  const outcome = requireMove(record.name, record.state, request.event);
  run.signal.throwIfAborted();
  run.begun = true;
  const next = { ...record, ...request.patch(record), state: outcome === 'gone' ? record.state : outcome };
  const operation = context.state.vps.put(next);
  try {
    await context.state.commit([operation, context.tasks.save(run)]);
  } catch (failure) {
    context.state.vps.set(record);
    throw failure;
  }
  announce(context, record, next.state);
  return true;
}

/** Brings a VPS to its goal and ends the task with what came of it. Never throws. */
export async function pursue(
  context: Context,
  id: string,
  run: TaskRun,
  revert?: Partial<VpsRecord>,
): Promise<void> {
  const record = (): VpsRecord | undefined => context.state.vps.get(id);
  try {
    if (record()?.bounce === true) {
      await reach(context, id, 'stopped', run);
      enter(context, id, 'starting', { bounce: false });
    }
    if (record()?.goal !== 'absent') {
      if (record()?.errand?.kind === 'convert') await runConversion(context, id, run);
      else await runErrand(context, id, run);
    }
    await reach(context, id, record()?.goal ?? 'absent', run);
    await conclude(context, id, run);
  } catch (failure) {
    if (failure instanceof Interrupted) return;
    try {
      await concludeFailure(context, id, run, failure, revert);
    } catch (worse) {
      context.deps.logger.error('cannot record a failure', { vps: id, task: run.id, failure: worse });
      await context.tasks.end(run, failure, []).catch(() => undefined);
    }
  }
}

async function conclude(context: Context, id: string, run: TaskRun): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined) return context.tasks.end(run, undefined, []);
  if (record.goal === 'absent') return forget(context, record, run, cutShort(run));
  const waiting = run.subject.kind === 'vps.set' ? pendingRestart(context, record) : [];
  if (waiting.length > 0) {
    run.warn(`${waiting.join(', ')}: takes effect at the next start: mullion restart ${record.name}`);
  }
  // A change of properties heals nothing, and an end that nobody asked for keeps its reason.
  const keeps = KEEPING.has(run.subject.kind) || run.subject.kind === 'vps.ended';
  enter(context, id, keeps ? record.state : restingState(record), keeps ? {} : { message: '' });
  await endWith(context, id, run, undefined);
}

/** What was to become a VPS is taken away again when the daemon that made it has ended. */
const cutShort = ({ subject }: TaskRun): MullionError | undefined =>
  MAKING.has(subject.kind)
    ? new MullionError('cancelled', 'The daemon ended before this was done.', {
        remedy: 'Ask for it again if it is still wanted',
      })
    : undefined;

async function concludeFailure(
  context: Context,
  id: string,
  run: TaskRun,
  cause: unknown,
  revert: Partial<VpsRecord> | undefined,
): Promise<void> {
  const record = context.state.vps.get(id);
  if (record === undefined) return context.tasks.end(run, cause, []);
  const failure = await explain(context, record, run, cause);
  if (BIRTHS.has(run.subject.kind)) return abandon(context, record, run, failure);
  const { machine } = record.observed;
  const alive = isAlive(machine);
  if (KEEPING.has(run.subject.kind)) {
    // It may stand still where it ran.
    const moved = alive && isAlive(record.state) && machine !== record.state;
    const kept = moved ? { goal: machine, message: failure.message } : {};
    enter(context, id, moved ? machine : record.state, { errand: null, ...kept, ...revert });
    return endWith(context, id, run, failure);
  }
  const goal: Goal = alive ? machine : 'stopped';
  const cancelled = failure.code === 'cancelled';
  const clean = machine === 'none' && record.observed.network === 'none';
  // A VPS that is as it was, because the attempt was undone, is not in error.
  const intact = cancelled || UNDONE.has(run.subject.kind);
  const healthy = alive ? run.subject.kind !== 'vps.stop' || cancelled : intact && clean;
  const state: VpsState = healthy ? restingState(record) : 'error';
  enter(context, id, record.goal === 'absent' ? 'error' : state, {
    goal,
    bounce: false,
    errand: null,
    message: healthy ? record.message : failure.message,
  });
  await endWith(context, id, run, failure);
}

/** What failed to make a VPS leaves nothing; what cannot be removed now stays as a VPS in error, to be deleted again. */
export async function abandon(
  context: Context,
  record: VpsRecord,
  run: TaskRun,
  failure: MullionError,
): Promise<void> {
  enter(context, record.id, 'deleting', { goal: 'absent' });
  try {
    await reach(context, record.id, 'absent', run, new AbortController().signal);
  } catch (worse) {
    if (worse instanceof Interrupted) return;
    context.deps.logger.error('what was not finished left something', { vps: record.id, failure: worse });
    const left = asMullionError(worse).message;
    enter(context, record.id, 'error', { goal: 'stopped', message: `${failure.message} ${left}` });
    return endWith(context, record.id, run, failure);
  }
  const current = context.state.vps.get(record.id);
  if (current !== undefined) await forget(context, current, run, failure);
}

/** Drops the record and its claims, and ends the task, in one commit. */
export async function forget(
  context: Context,
  record: VpsRecord,
  run: TaskRun,
  failure: unknown,
): Promise<void> {
  const claims = claimsOf(record).map((key) => ({ type: 'delete', key }) as const);
  await context.tasks.end(run, failure, [...claims, context.state.vps.drop(record)]);
  context.events.emit('vps.deleted', record.project, record.name, { task: run.id, id: record.id });
  await collectReplaced(context);
}

async function endWith(context: Context, id: string, run: TaskRun, failure: unknown): Promise<void> {
  const record = context.state.vps.get(id);
  await context.tasks.end(run, failure, record === undefined ? [] : [context.state.vps.put(record)]);
  watch(context, id);
}

/** The state of a VPS at rest, from what was seen. */
function restingState({ observed }: VpsRecord): VpsState {
  switch (observed.machine) {
    case 'running':
      return 'running';
    case 'paused':
      return 'paused';
    case 'none':
      return 'stopped';
    case 'remains':
    case 'prepared':
      return 'error';
  }
}

/** Changes the state in memory and tells who listens. */
export function enter(context: Context, id: string, state: VpsState, patch: Partial<VpsRecord> = {}): void {
  const record = context.state.vps.get(id);
  if (record === undefined) return;
  context.state.vps.set({ ...record, ...patch, state });
  announce(context, record, state, patch.message);
}

function announce(context: Context, before: VpsRecord, state: VpsState, message?: string): void {
  if (before.state === state) return;
  context.events.emit('vps.state', before.project, before.name, {
    id: before.id,
    state,
    previous: before.state,
    ...(message === undefined || message === '' ? {} : { message }),
  });
}

const STARTING: ReadonlySet<string> = new Set<Operation>([
  'vps.launch',
  'vps.copy',
  'vps.start',
  'vps.restart',
]);
/** What makes a VPS: when it fails, nothing is left. */
const BIRTHS: ReadonlySet<string> = new Set<Operation>(['vps.launch', 'vps.copy']);
/** What makes a VPS whose goal is to be absent until it is whole. */
const MAKING: ReadonlySet<string> = new Set(['backup.restore', 'backup.verify']);
/** What takes its own failure back. */
const UNDONE: ReadonlySet<string> = new Set<Operation>(['vps.restore', 'vps.convert']);
/** What leaves a VPS in the state in which it is, whether it fails or not. */
const KEEPING: ReadonlySet<string> = new Set<Operation>(['vps.set', 'vps.snapshot', 'vps.unsnapshot']);

/** A failure to start carries what the guest said last. */
async function explain(
  context: Context,
  record: VpsRecord,
  run: TaskRun,
  cause: unknown,
): Promise<MullionError> {
  const failure = asMullionError(cause);
  const own = ERRORS[failure.code].kind === 'system' && failure.code !== 'cancelled';
  if (!own || !STARTING.has(run.subject.kind)) return failure;
  const log = await lastLines(context, record);
  return new MullionError('start_failed', `The VPS ${record.name} did not start: ${failure.message}`, {
    ...(run.subject.kind === 'vps.launch' ? { remedy: failure.remedy } : {}),
    details: { ...failure.details, code: failure.code, log },
    cause: failure,
  });
}
