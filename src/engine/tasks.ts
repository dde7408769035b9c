import { randomBytes } from 'node:crypto';
import { asMullionError, MullionError } from '../contract/errors.ts';
import type { Task } from '../contract/tasks.ts';
import type { Logger } from '../core/logger.ts';
import type { Operation } from '../store/store.ts';
import type { TaskVerbs } from './contract.ts';
import type { EventHub } from './event-hub.ts';
import type { TaskRecord } from './records.ts';
import type { State } from './state.ts';
import { Interrupted, TaskRun, type TaskSubject } from './task-run.ts';

/** Ended tasks that are remembered. */
const KEPT = 1_000;
/** Progress of one task is told at most this often. */
const PROGRESS_MS = 100;

export class Tasks implements TaskVerbs {
  readonly #state: State;
  readonly #events: EventHub;
  readonly #clock: () => Date;
  readonly #logger: Logger;
  readonly #running = new Map<string, TaskRun>();
  readonly #ended = new Map<string, Set<() => void>>();
  readonly #announced = new Map<string, NodeJS.Timeout>();

  constructor(state: State, events: EventHub, clock: () => Date, logger: Logger) {
    this.#state = state;
    this.#events = events;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** A new task, or one of an earlier daemon taken up again; durable with the operation of `save`. */
  create(subject: TaskSubject, earlier?: TaskRecord): TaskRun {
    const now = this.#clock();
    const run = new TaskRun(
      earlier?.id ?? `${now.getTime().toString(36)}${randomBytes(5).toString('hex')}`,
      subject,
      earlier?.createdAt ?? now.toISOString(),
      () => this.#clock().getTime(),
      (changed) => this.#announce(changed),
      earlier,
    );
    this.#running.set(run.id, run);
    run.progress.become('running');
    return run;
  }

  /** What makes the task durable as it is now. */
  save(run: TaskRun): Operation {
    return this.#state.tasks.put(run.record());
  }

  /** Forgets a task that was refused before anyone heard of it. */
  discard(run: TaskRun): void {
    this.#running.delete(run.id);
    this.#silence(run.id);
    const record = this.#state.tasks.get(run.id);
    if (record !== undefined) this.#state.tasks.drop(record);
    this.#wake(run.id);
  }

  /** Ends a task, with what else changes, in one commit. */
  async end(run: TaskRun, failure: unknown, operations: readonly Operation[]): Promise<void> {
    if (!this.#running.has(run.id) || failure instanceof Interrupted) return;
    const error = failure === undefined ? null : asMullionError(failure);
    run.progress.become(error === null ? 'done' : 'failed');
    this.#running.delete(run.id);
    this.#silence(run.id);
    const record: TaskRecord = {
      ...run.record(),
      state: error === null ? 'done' : error.code === 'cancelled' ? 'cancelled' : 'failed',
      finishedAt: this.#clock().toISOString(),
      error: error?.toBody() ?? null,
    };
    const { kind, project, target } = run.subject;
    if (error !== null) this.#logger.warn('task failed', { task: run.id, kind, project, target, failure });
    try {
      await this.#state.commit([...operations, this.#state.tasks.put(record), ...this.#prune()]);
    } finally {
      this.#events.emit(`task.${record.state}`, project, target, {
        task: run.id,
        kind,
        ...(record.error === null ? {} : { error: record.error }),
      });
      this.#wake(run.id);
    }
  }

  async list(project: string): Promise<Task[]> {
    this.#state.requireProject(project);
    return [...this.#state.tasks.values()]
      .filter((record) => record.project === project)
      .map((record) => this.#view(record))
      .sort((a, b) => (a.createdAt === b.createdAt ? 0 : a.createdAt < b.createdAt ? 1 : -1));
  }

  async get(id: string): Promise<Task> {
    return this.now(id);
  }

  /** @throws not_found */
  now(id: string): Task {
    const run = this.#running.get(id);
    const record = run?.record() ?? this.#state.tasks.get(id);
    if (record !== undefined) return toTask(record);
    throw new MullionError('not_found', `There is no task ${id}.`, {
      remedy: 'See recent tasks with: mullion task list',
      details: { task: id },
    });
  }

  async wait(id: string, seconds: number): Promise<Task> {
    if (!this.#running.has(id) || seconds <= 0) return this.now(id);
    await new Promise<void>((resolve) => {
      const wakes = this.#ended.get(id) ?? new Set();
      this.#ended.set(id, wakes);
      const wake = (): void => {
        clearTimeout(timer);
        wakes.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, Math.min(seconds * 1000, 2 ** 31 - 1));
      wakes.add(wake);
    });
    return this.now(id);
  }

  async cancel(id: string): Promise<Task> {
    const task = this.now(id);
    const run = this.#running.get(id);
    if (run === undefined) {
      throw new MullionError('wrong_state', `The task ${id} has ended: ${task.state}.`, {
        remedy: 'Nothing to do',
        details: { task: id, state: task.state },
      });
    }
    run.cancel('It was cancelled.');
    return this.now(id);
  }

  runningCount(): number {
    return this.#running.size;
  }

  isWorkingOn(vps: string): boolean {
    return [...this.#running.values()].some((run) => run.subject.vps === vps);
  }

  /** Cancels what works on the same VPS, or waits to, when it is of one of the kinds. */
  makeWayFor(self: TaskRun, kinds: (kind: string) => boolean): void {
    for (const run of this.#running.values()) {
      if (run === self || run.subject.vps !== self.subject.vps || !kinds(run.subject.kind)) continue;
      run.cancel(`It made way for ${self.subject.kind}.`);
    }
  }

  cancelKind(prefix: string, why: string): void {
    for (const run of this.#running.values()) {
      if (run.subject.kind.startsWith(prefix)) run.cancel(why);
    }
  }

  close(): void {
    for (const timer of this.#announced.values()) clearTimeout(timer);
    for (const id of [...this.#ended.keys()]) this.#wake(id);
  }

  #view(record: TaskRecord): Task {
    return toTask(this.#running.get(record.id)?.record() ?? record);
  }

  #wake(id: string): void {
    const wakes = this.#ended.get(id);
    this.#ended.delete(id);
    for (const wake of [...(wakes ?? [])]) wake();
  }

  #silence(id: string): void {
    clearTimeout(this.#announced.get(id));
    this.#announced.delete(id);
  }

  #announce(run: TaskRun): void {
    if (this.#announced.has(run.id) || !this.#running.has(run.id)) return;
    const timer = setTimeout(() => {
      this.#announced.delete(run.id);
      const { kind, project, target } = run.subject;
      const progress = run.progress.snapshot();
      this.#events.emit('task.progress', project, target, { task: run.id, kind, progress });
    }, PROGRESS_MS);
    timer.unref();
    this.#announced.set(run.id, timer);
  }

  #prune(): Operation[] {
    const excess = this.#state.tasks.size - this.#running.size - KEPT;
    if (excess <= 0) return [];
    return [...this.#state.tasks.values()]
      .filter(({ id }) => !this.#running.has(id))
      .sort((a, b) => (a.createdAt < b.createdAt ? -1 : 1))
      .slice(0, excess)
      .map((record) => this.#state.tasks.drop(record));
  }
}

function toTask(record: TaskRecord): Task {
  const { vps: _vps, begun: _begun, steps: _steps, ...task } = record;
  return task;
}
