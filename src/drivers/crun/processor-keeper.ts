import { keepApart } from '../../core/processor-plan.ts';
import type { CgroupProcessors } from '../../host/cgroup-processors.ts';

const LOOK_MS = 250;
/** Of the processor time that a container may have: from here on it is busy. */
const BUSY = 0.75;
/** When it has used less than this of it in such a time, it is not any more. */
const CALM = 0.6;
const CALM_MS = 2_000;
/** Of each processor of a container: when others use more of them for so many looks, it is moved. */
const CROWDED = 0.25;
const CROWDED_LOOKS = 2;
/** Weight of the newest look in what others use. */
const NEWEST = 0.25;
/** Containers that are not busy which one look reads at most. */
const AT_ONCE = 64;

/** Seconds of processor time used until a moment, in milliseconds. */
interface Reading {
  readonly used: number;
  readonly at: number;
}

interface Watched {
  readonly group: string;
  readonly cpus: number;
  last?: Reading | undefined;
  busy: boolean;
  /** Since when it is looked whether it is calm. */
  since?: Reading | undefined;
  /** Processors that it kept busy at the last look. */
  share: number;
  crowded: number;
}

export type Processors = Pick<CgroupProcessors, 'used' | 'of' | 'shared' | 'keep' | 'busySeconds'>;

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
  readonly #watched = new Map<string, Watched>();
  #kept: ReadonlyMap<string, readonly number[]> = new Map();
  #parentLast: Reading | undefined;
  #hostLast: { readonly busy: ReadonlyMap<number, number>; readonly at: number } | undefined;
  #others: number | undefined;
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ processors, parent, keeps = true, now = () => performance.now() }: KeeperOptions) {
    this.#processors = processors;
    this.#parent = parent;
    this.#keeps = keeps;
    this.#now = now;
  }

  /** Also with other limits than before. */
  watch(id: string, group: string, cpus: number): void {
    // An earlier daemon may have kept it.
    const own = this.#processors.of(group);
    const isKept = own.length > 0 && own.length < this.#processors.of(this.#parent).length;
    if (!this.#keeps) {
      if (isKept) this.#processors.keep(group, undefined);
      return;
    }
    if (isKept) this.#kept = new Map([...this.#kept, [id, own]]);
    this.#watched.set(id, { group, cpus, busy: isKept, share: 0, crowded: 0 });
    this.#timer ??= setInterval(() => this.#lookAgain(), LOOK_MS).unref();
  }

  forget(id: string): void {
    this.#watched.delete(id);
    if (this.#kept.has(id)) this.#kept = new Map([...this.#kept].filter(([kept]) => kept !== id));
    if (this.#watched.size === 0) this.#stop();
  }

  /** Lets all run anywhere, as nobody will look after them. */
  close(): void {
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
      for (const watched of this.#watched.values()) watched.last = undefined;
      this.#hostLast = undefined;
      return;
    }
    const load = this.#readLoad();
    for (const watched of this.#inTurn()) this.#judge(watched);
    const busy = [...this.#watched].filter(([, watched]) => watched.busy);
    if (busy.length === 0) {
      this.#others = undefined;
      this.#apply(new Map());
    } else if (load !== undefined) this.#plan(busy, load);
  }

  #plan(busy: readonly (readonly [string, Watched])[], load: ReadonlyMap<number, number>): void {
    const shares = busy.reduce((sum, [, { share }]) => sum + share, 0);
    const processors = this.#processors.shared(this.#parent);
    const used = processors.reduce((sum, processor) => sum + (load.get(processor) ?? 0), 0);
    const others = Math.max(0, used - shares);
    this.#others = this.#others === undefined ? others : this.#others + NEWEST * (others - this.#others);
    this.#apply(
      keepApart({
        busy: new Map(busy.map(([id, { cpus }]) => [id, cpus])),
        processors,
        load,
        others: this.#others,
        kept: this.#uncrowded(load),
      }),
    );
  }

  /** Those that have their processors for themselves, but for moments. */
  #uncrowded(load: ReadonlyMap<number, number>): ReadonlyMap<string, readonly number[]> {
    return new Map(
      [...this.#kept].filter(([id, own]) => {
        const watched = this.#watched.get(id);
        if (watched === undefined) return false;
        const used = own.reduce((sum, processor) => sum + (load.get(processor) ?? 0), 0);
        const isCrowded = used - watched.share > CROWDED * own.length;
        watched.crowded = isCrowded ? watched.crowded + 1 : 0;
        if (watched.crowded < CROWDED_LOOKS) return true;
        watched.crowded = 0;
        return false;
      }),
    );
  }

  /** How much of each processor was busy since the last look, of 1; undefined at the first one. */
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
    if (this.#kept.size > 0 || watched.some(({ busy }) => busy)) return true;
    const least = Math.min(...watched.map(({ cpus }) => cpus));
    return last !== undefined && shareOf(last, this.#parentLast) >= BUSY * least;
  }

  /** All that are busy, and some of the others. */
  #inTurn(): Watched[] {
    const busy = [...this.#watched.values()].filter((watched) => watched.busy);
    const rest = [...this.#watched.values()].filter((watched) => !watched.busy);
    const first = rest.length <= AT_ONCE ? 0 : this.#turn % rest.length;
    this.#turn = first + AT_ONCE;
    return [...busy, ...[...rest.slice(first), ...rest.slice(0, first)].slice(0, AT_ONCE)];
  }

  #judge(watched: Watched): void {
    const { last, cpus } = watched;
    const now = this.#reading(watched.group);
    watched.last = now;
    if (last === undefined) return;
    watched.share = shareOf(last, now);
    if (!watched.busy) {
      watched.busy = watched.share >= BUSY * cpus;
      watched.since = now;
      return;
    }
    watched.since ??= now;
    if (now.at - watched.since.at < CALM_MS) return;
    watched.busy = shareOf(watched.since, now) >= CALM * cpus;
    watched.since = now;
  }

  #reading(group: string): Reading {
    return { used: this.#processors.used(group), at: this.#now() };
  }

  #apply(plan: ReadonlyMap<string, readonly number[]>): void {
    const kept = new Map(plan);
    for (const [id, { group }] of this.#watched) {
      const [before, wanted] = [this.#kept.get(id), plan.get(id)];
      if (before?.join() === wanted?.join()) continue;
      try {
        this.#processors.keep(group, wanted);
      } catch {
        // It is ending, or a processor was taken off the host: it is where it was, and the next look tries again.
        if (before === undefined) kept.delete(id);
        else kept.set(id, before);
      }
    }
    this.#kept = kept;
  }
}

/** Processors that were busy between two readings. */
const shareOf = (last: Reading, now: Reading): number => (1000 * (now.used - last.used)) / (now.at - last.at);
