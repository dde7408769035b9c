import { keepApart } from '../../core/processor-plan.ts';
import type { CgroupProcessors } from '../../host/cgroup-processors.ts';
import { BusyWatch, type Reading, shareOf } from './busy-watch.ts';

const LOOK_MS = 250;
/** Of the least that makes a container busy, all of them together: from here on each is looked at. */
const GATE = 0.5;
/** Weight of the newest look in what others use. */
const NEWEST = 0.25;
/** Containers that are not busy which one look reads at most. */
const AT_ONCE = 64;

export type Processors = Pick<
  CgroupProcessors,
  'used' | 'of' | 'shared' | 'cores' | 'keep' | 'busySeconds' | 'interrupts'
>;

export interface KeeperOptions {
  readonly processors: Processors;
  /** The group that all watched ones are in. */
  readonly parent: string;
  /** False: it frees whom an earlier daemon kept, and nothing else. */
  readonly keeps?: boolean | undefined;
  readonly now?: () => number;
}

/**
 * Keeps a container that uses all its processor time on as many processors as it has. Its limit alone would let it have
 * every processor of the host for a part of each period, in which a neighbour that wakes up waits for the end of a slice:
 * up to two ticks of the kernel's clock. See ADR 63.
 */
export class ProcessorKeeper {
  readonly #processors: Processors;
  readonly #parent: string;
  readonly #keeps: boolean;
  readonly #now: () => number;
  readonly #watched = new Map<string, BusyWatch>();
  #kept: ReadonlyMap<string, readonly number[]> = new Map();
  #parentLast: Reading | undefined;
  #hostLast: { readonly busy: ReadonlyMap<number, number>; readonly at: number } | undefined;
  /** What others used beside these busy ones. */
  #others: { readonly beside: string; readonly used: number } | undefined;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor({ processors, parent, keeps = true, now = () => performance.now() }: KeeperOptions) {
    this.#processors = processors;
    this.#parent = parent;
    this.#keeps = keeps;
    this.#now = now;
  }

  /** Also with other limits than before. */
  watch(id: string, group: string, cpus: number): void {
    const former = this.#watched.get(id);
    if (former?.group === group) {
      former.cpus = cpus;
      return;
    }
    // An earlier daemon may have kept it.
    const own = this.#processors.of(group);
    const isKept = own.length > 0 && own.length < this.#processors.of(this.#parent).length;
    if (!this.#keeps || this.#closed) {
      if (isKept) this.#put(group, undefined);
      return;
    }
    if (isKept) this.#kept = new Map([...this.#kept, [id, own]]);
    this.#watched.set(id, new BusyWatch(group, cpus, isKept));
    this.#timer ??= setInterval(() => this.#lookAgain(), LOOK_MS).unref();
  }

  forget(id: string): void {
    this.#watched.delete(id);
    if (this.#kept.has(id)) this.#kept = new Map([...this.#kept].filter(([kept]) => kept !== id));
    if (this.#watched.size === 0) this.#stop();
  }

  /** Lets all run anywhere, as nobody will look after them. */
  close(): void {
    this.#closed = true;
    this.#stop();
    this.#apply(new Map());
    this.#watched.clear();
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#parentLast = undefined;
    this.#hostLast = undefined;
  }

  #lookAgain(): void {
    try {
      this.look();
    } catch {
      // What this look could not read leaves all where they are; the next one reads it again.
    }
  }

  /** Is called by itself, four times a second. */
  look(): void {
    if (!this.#mayOneBeBusy()) {
      for (const watched of this.#watched.values()) watched.rest();
      this.#hostLast = undefined;
      return;
    }
    const load = this.#readLoad();
    for (const watched of this.#inTurn()) watched.read(this.#reading(watched.group));
    const busy = [...this.#watched].filter(([, watched]) => watched.isBusy);
    if (busy.length === 0) {
      this.#others = undefined;
      this.#apply(new Map());
    } else if (load !== undefined) this.#plan(new Map(busy), load);
  }

  #plan(busy: ReadonlyMap<string, BusyWatch>, load: ReadonlyMap<number, number>): void {
    const usedOf = (list: readonly number[]): number =>
      list.reduce((sum, processor) => sum + (load.get(processor) ?? 0), 0);
    const at = this.#now();
    for (const [id, own] of this.#kept) busy.get(id)?.sharesWith(usedOf(own), own.length, at);
    const processors = this.#processors.shared(this.#parent);
    const shares = [...busy.values()].reduce((sum, { share }) => sum + share, 0);
    const beside = [...busy.keys()].join();
    const used = Math.max(0, usedOf(processors) - shares);
    const former = this.#others?.beside === beside ? this.#others.used : used;
    this.#others = { beside, used: former + NEWEST * (used - former) };
    const [fit, resting] = [new Map<string, BusyWatch>(), [] as BusyWatch[]];
    for (const [id, watched] of busy) {
      if (watched.mayBeKept(at)) fit.set(id, watched);
      else resting.push(watched);
    }
    const others = resting.reduce((sum, { share }) => sum + share, this.#others.used);
    const kept = new Map([...this.#kept].filter(([id]) => fit.has(id)));
    const { cores } = this.#processors;
    const isNew = [...fit.keys()].some((id) => !kept.has(id));
    const interrupts = isNew ? this.#processors.interrupts() : new Map<number, number>();
    this.#apply(keepApart({ busy: fit, processors, load, interrupts, cores, others, kept }));
  }

  /** How much of each processor was used since the last look, of 1; undefined at the first one. */
  #readLoad(): ReadonlyMap<number, number> | undefined {
    const [last, now] = [this.#hostLast, { busy: this.#processors.busySeconds(), at: this.#now() }];
    this.#hostLast = now;
    if (last === undefined) return undefined;
    return new Map(
      [...now.busy].map(([processor, seconds]) => {
        const before = { used: last.busy.get(processor) ?? seconds, at: last.at };
        return [processor, shareOf(before, { used: seconds, at: now.at })];
      }),
    );
  }

  /** One look at all of them together: most often nobody is. */
  #mayOneBeBusy(): boolean {
    const last = this.#parentLast;
    this.#parentLast = this.#reading(this.#parent);
    const watched = [...this.#watched.values()];
    if (this.#kept.size > 0 || watched.some(({ isBusy }) => isBusy)) return true;
    const least = Math.min(...watched.map(({ cpus }) => cpus));
    return last !== undefined && shareOf(last, this.#parentLast) >= GATE * least;
  }

  /** All that are busy, and some of the others. */
  #inTurn(): BusyWatch[] {
    const busy = [...this.#watched.values()].filter(({ isBusy }) => isBusy);
    const rest = [...this.#watched.values()].filter(({ isBusy }) => !isBusy);
    const first = rest.length <= AT_ONCE ? 0 : this.#turn % rest.length;
    this.#turn = first + AT_ONCE;
    return [...busy, ...[...rest.slice(first), ...rest.slice(0, first)].slice(0, AT_ONCE)];
  }

  #reading(group: string): Reading {
    return { used: this.#processors.used(group), at: this.#now() };
  }

  #apply(plan: ReadonlyMap<string, readonly number[]>): void {
    const kept = new Map(plan);
    for (const [id, { group }] of this.#watched) {
      const [before, wanted] = [this.#kept.get(id), plan.get(id)];
      if (before?.join() === wanted?.join()) continue;
      if (this.#put(group, wanted)) continue;
      if (before === undefined) kept.delete(id);
      else kept.set(id, before);
    }
    this.#kept = kept;
  }

  /** False: it is ending, or a processor was taken off the host. It is where it was, and the next look tries again. */
  #put(group: string, processors: readonly number[] | undefined): boolean {
    try {
      this.#processors.keep(group, processors);
      return true;
    } catch {
      return false;
    }
  }
}
