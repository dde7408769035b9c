import { keepApart } from '../../core/processor-plan.ts';
import type { CgroupProcessors } from '../../host/cgroup-processors.ts';

const LOOK_MS = 250;
/** Of the processor time that a container may have: from here on it is busy. */
const BUSY = 0.75;
/** Below this for so long, it is not any more. */
const CALM = 0.6;
const CALM_MS = 2_000;

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
  calmSince?: number | undefined;
}

/**
 * Keeps a container that uses all its processor time on as many processors as it has. Its limit alone would let it have
 * every processor of the host for a part of each period, in which a neighbour that wakes up waits for the end of a slice:
 * up to two ticks of the kernel's clock. See ADR 63.
 */
export class ProcessorKeeper {
  readonly #processors: CgroupProcessors;
  readonly #parent: string;
  readonly #watched = new Map<string, Watched>();
  #kept: ReadonlyMap<string, readonly number[]> = new Map();
  #parentLast: Reading | undefined;
  #timer: NodeJS.Timeout | undefined;

  /** @param parent the group that all watched ones are in */
  constructor(processors: CgroupProcessors, parent: string) {
    this.#processors = processors;
    this.#parent = parent;
  }

  /** Also with other limits than before. */
  watch(id: string, group: string, cpus: number): void {
    // An earlier daemon may have kept it.
    const own = this.#processors.of(group);
    const isKept = own.length > 0 && own.length < this.#processors.of(this.#parent).length;
    if (isKept) this.#kept = new Map([...this.#kept, [id, own]]);
    this.#watched.set(id, { group, cpus, busy: isKept });
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
  }

  #lookAgain(): void {
    try {
      this.#look();
    } catch {
      // What this look could not read leaves all where they are; the next one reads it again.
    }
  }

  #look(): void {
    if (!this.#mayOneBeBusy()) {
      for (const watched of this.#watched.values()) watched.last = undefined;
      return;
    }
    for (const watched of this.#watched.values()) this.#judge(watched);
    const busy = [...this.#watched].filter(([, watched]) => watched.busy);
    const needs = new Map(busy.map(([id, { cpus }]) => [id, cpus]));
    this.#apply(keepApart(needs, this.#processors.of(this.#parent), this.#kept));
  }

  /** One look at all of them together: most often nobody is. */
  #mayOneBeBusy(): boolean {
    const last = this.#parentLast;
    this.#parentLast = this.#reading(this.#parent);
    const watched = [...this.#watched.values()];
    if (watched.some(({ busy }) => busy)) return true;
    const least = Math.min(...watched.map(({ cpus }) => cpus));
    return last !== undefined && shareOf(last, this.#parentLast) >= BUSY * least;
  }

  #judge(watched: Watched): void {
    const { last, cpus } = watched;
    const now = this.#reading(watched.group);
    watched.last = now;
    if (last === undefined) return;
    const share = shareOf(last, now) / cpus;
    if (share >= BUSY) watched.busy = true;
    if (share >= CALM) watched.calmSince = undefined;
    else watched.calmSince ??= now.at;
    if (watched.calmSince !== undefined && now.at - watched.calmSince >= CALM_MS) watched.busy = false;
  }

  #reading(group: string): Reading {
    return { used: this.#processors.used(group), at: performance.now() };
  }

  #apply(plan: ReadonlyMap<string, readonly number[]>): void {
    const kept = new Map(plan);
    for (const [id, { group }] of this.#watched) {
      const wanted = plan.get(id);
      if (this.#kept.get(id)?.join() === wanted?.join()) continue;
      try {
        this.#processors.keep(group, wanted);
      } catch {
        // It has ended, or its processors were taken off the host: the next look plans anew.
        kept.delete(id);
      }
    }
    this.#kept = kept;
  }
}

/** Processors that were busy between two readings. */
const shareOf = (last: Reading, now: Reading): number => (1000 * (now.used - last.used)) / (now.at - last.at);
