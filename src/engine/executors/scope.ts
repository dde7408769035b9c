import { MullionError } from '../../contract/errors.ts';
import type { StepOf, StepType } from '../../core/plan.ts';
import type { Driver, Handle, Machine } from '../../drivers/driver.ts';
import type { Attachment } from '../../network/network.ts';
import { type Context, requireDriver } from '../context.ts';
import { attachmentOf, machineOf } from '../machine.ts';
import type { ProgressNode } from '../progress-node.ts';
import type { Runtime, VpsRecord } from '../records.ts';

/** What an executor works on: one VPS, as it is now. */
export class Scope {
  readonly context: Context;
  readonly id: string;
  /** Ends waiting early; what is under way is finished by what comes next. */
  readonly signal: AbortSignal;
  /** Says something that the person who asked should know although it worked. */
  readonly warn: (text: string) => void;
  /** Where the step under way tells how far it is. */
  readonly progress: ProgressNode | undefined;

  constructor(
    context: Context,
    id: string,
    signal: AbortSignal,
    warn: (text: string) => void = () => undefined,
    progress?: ProgressNode,
  ) {
    this.context = context;
    this.id = id;
    this.signal = signal;
    this.warn = warn;
    this.progress = progress;
  }

  /** The same, for a step that has a place of its own in the progress. */
  withProgress(progress: ProgressNode): Scope {
    return new Scope(this.context, this.id, this.signal, this.warn, progress);
  }

  get record(): VpsRecord {
    const record = this.context.state.vps.get(this.id);
    if (record === undefined) throw new MullionError('not_found', `The VPS ${this.id} is gone.`);
    return record;
  }

  /** Changes memory only; what pursues the goal commits it. */
  update(patch: Partial<VpsRecord>): void {
    this.context.state.vps.set({ ...this.record, ...patch });
  }

  get driver(): Driver {
    return requireDriver(this.context, this.record.technique);
  }

  get machine(): Machine {
    return machineOf(this.context, this.record);
  }

  get runtime(): Runtime {
    const { runtime, name } = this.record;
    if (runtime === null) throw new MullionError('internal', `The VPS ${name} has no machine.`);
    return runtime;
  }

  get handle(): Handle {
    return this.runtime.handle;
  }

  get attachment(): Attachment {
    const attachment = attachmentOf(this.context, this.record);
    if (attachment === undefined) {
      throw new MullionError('internal', `The VPS ${this.record.name} has no network.`);
    }
    return attachment;
  }
}

/** One function for each step: a step without one does not compile. */
export type Executors = {
  readonly [T in StepType]: (scope: Scope, step: StepOf<T>) => Promise<void>;
};
