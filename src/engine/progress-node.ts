import type { Progress } from '../contract/tasks.ts';
import { addSample, rateOf, type Sample, secondsLeft } from '../core/progress.ts';

export interface Measure {
  readonly done?: number | undefined;
  readonly total?: number | undefined;
  readonly unit?: Progress['unit'];
  readonly message?: string | undefined;
}

/** A growing tree of progress; `onChange` hears of each change of it. */
export class ProgressNode {
  readonly name: string;
  readonly #children: ProgressNode[] = [];
  readonly #onChange: () => void;
  readonly #now: () => number;
  #state: Progress['state'] = 'waiting';
  #measure: Measure = {};
  #samples: Sample[] = [];

  constructor(name: string, now: () => number, onChange: () => void) {
    this.name = name;
    this.#now = now;
    this.#onChange = onChange;
  }

  /** The child of that name, made when there is none. */
  child(name: string): ProgressNode {
    const existing = this.#children.find((node) => node.name === name);
    if (existing !== undefined) return existing;
    const node = new ProgressNode(name, this.#now, this.#onChange);
    this.#children.push(node);
    return node;
  }

  /** The child of that name, running; those before it are done. */
  advanceTo(name: string): ProgressNode {
    const next = this.child(name);
    for (const child of this.#children)
      if (child !== next && child.#state === 'running') child.become('done');
    if (next.#state !== 'running') next.become('running');
    return next;
  }

  become(state: Progress['state']): void {
    this.#state = state;
    if (state !== 'running') {
      this.#samples = [];
      for (const child of this.#children) if (child.#state === 'running') child.become(state);
    }
    this.#onChange();
  }

  measure(measure: Measure): void {
    this.#measure = { ...this.#measure, ...measure };
    if (measure.done !== undefined) {
      this.#samples = addSample(this.#samples, { at: this.#now(), done: measure.done });
    }
    this.#onChange();
  }

  snapshot(): Progress {
    const { done, total, unit, message } = this.#measure;
    const rate = this.#state === 'running' ? rateOf(this.#samples) : undefined;
    const left = done === undefined ? undefined : secondsLeft(done, total, rate);
    return {
      name: this.name,
      state: this.#state,
      ...(done === undefined ? {} : { done }),
      ...(total === undefined ? {} : { total }),
      ...(unit === undefined ? {} : { unit }),
      ...(rate === undefined ? {} : { rate }),
      ...(left === undefined ? {} : { secondsLeft: left }),
      ...(message === undefined ? {} : { message }),
      children: this.#children.map((child) => child.snapshot()),
    };
  }
}
