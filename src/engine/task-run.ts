import { MullionError } from '../contract/errors.ts';
import { ProgressNode } from './progress-node.ts';
import type { TaskRecord } from './records.ts';

/** Thrown to leave a task as it is, because the daemon ends: the next one goes on with it. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
}

export interface TaskSubject {
  /** The operation, for example vps.launch. */
  readonly kind: string;
  readonly project: string;
  readonly target: string;
  /** Id of the VPS that it works on. */
  readonly vps: string | null;
}

/** A task under way. */
export class TaskRun {
  readonly id: string;
  readonly subject: TaskSubject;
  readonly createdAt: string;
  readonly progress: ProgressNode;
  readonly warnings: string[];
  readonly steps: string[];
  readonly #controller = new AbortController();
  begun = false;

  constructor(
    id: string,
    subject: TaskSubject,
    createdAt: string,
    now: () => number,
    onChange: (run: TaskRun) => void,
    earlier?: TaskRecord,
  ) {
    this.id = id;
    this.subject = subject;
    this.createdAt = createdAt;
    this.warnings = [...(earlier?.warnings ?? [])];
    this.steps = [...(earlier?.steps ?? [])];
    this.progress = new ProgressNode(subject.kind, now, () => onChange(this));
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** It ends at its next safe point. */
  cancel(why: string): void {
    this.#controller.abort(new MullionError('cancelled', why));
  }

  /** Says something that the person should know although it worked. */
  warn(text: string): void {
    if (!this.warnings.includes(text)) this.warnings.push(text);
  }

  record(): TaskRecord {
    return {
      id: this.id,
      ...this.subject,
      state: 'running',
      createdAt: this.createdAt,
      finishedAt: null,
      progress: this.progress.snapshot(),
      error: null,
      warnings: [...this.warnings],
      begun: this.begun,
      steps: [...this.steps],
    };
  }

  /** Runs one named part of the work as a child of the task's progress. */
  async part<T>(name: string, work: (node: ProgressNode) => Promise<T>): Promise<T> {
    const node = this.progress.child(name);
    node.become('running');
    try {
      const result = await work(node);
      node.become('done');
      return result;
    } catch (failure) {
      if (!(failure instanceof Interrupted)) node.become('failed');
      throw failure;
    }
  }
}
