/** A machine that uses what it may have of the processors' time. */
export interface BusyMachine {
  /** Processors that it may use, a fraction too. */
  readonly cpus: number;
  /** Processors that it uses. */
  readonly share: number;
}

/** What is to be planned for, at one moment. */
export interface ProcessorDemand {
  /** By id. */
  readonly busy: ReadonlyMap<string, BusyMachine>;
  /** Those of the host that may be given. */
  readonly processors: readonly number[];
  /** How much of each was used lately, of 1. */
  readonly load: ReadonlyMap<number, number>;
  /** Interrupts that each has had; absent: as many as any other. */
  readonly interrupts: ReadonlyMap<number, number>;
  /** The core that a processor is a thread of; absent: each is a core of its own. */
  readonly cores: ReadonlyMap<number, string>;
  /** Processors that all but the busy machines use, in sum. */
  readonly others: number;
  /** What was planned before. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
}

/**
 * What it costs to take the processor that has most of the interrupts, of a whole one's load: what a disk answers is handled
 * there, and whoever waits for it waits for the busy machine.
 */
const INTERRUPTED = 0.5;

/** Processors that are to be idle beside what others use before anybody is kept, so that who wakes up finds one. */
const SLACK = 0.25;

/**
 * Which of the host's processors each busy machine is kept on: as many as it has, none of them another's, the idlest first
 * and no two of one core where that can be. What is left has room for all others, whose work the kernel moves there; a
 * machine for which there is no room is one of these, who came last first. Who is kept already stays where it is.
 */
export function keepApart(demand: ProcessorDemand): ReadonlyMap<string, readonly number[]> {
  const { processors, load, interrupts, cores, kept } = demand;
  const chosen = choose(demand);
  const free = new Set(processors);
  const taken: string[] = [];
  const plan = new Map<string, readonly number[]>();
  const coreOf = (processor: number): string => cores.get(processor) ?? String(processor);
  const take = (processor: number): number => {
    free.delete(processor);
    taken.push(coreOf(processor));
    return processor;
  };
  for (const { id, count } of chosen) {
    const own = kept.get(id);
    if (own?.length === count && own.every((processor) => free.has(processor))) plan.set(id, own.map(take));
  }
  const most = Math.max(1, ...interrupts.values());
  const cost = (processor: number): number =>
    Math.round((load.get(processor) ?? 0) * 10) +
    Math.round(((interrupts.get(processor) ?? 0) / most) * INTERRUPTED * 10) +
    taken.filter((core) => core === coreOf(processor)).length / 10;
  for (const { id, count } of chosen) {
    if (plan.has(id)) continue;
    const own = Array.from({ length: count }, () => {
      // The host's own programs begin on the first ones.
      const [best] = [...free].sort((one, other) => cost(one) - cost(other) || other - one);
      return take(best ?? 0);
    });
    plan.set(
      id,
      own.sort((one, other) => one - other),
    );
  }
  return plan;
}

/** Those for whom there is room beside the others. */
function choose({ busy, processors, others, kept }: ProcessorDemand): { id: string; count: number }[] {
  const chosen = [...busy]
    .map(([id, { cpus, share }]) => ({ id, count: Math.ceil(cpus), share }))
    .sort((one, other) => Number(kept.has(other.id)) - Number(kept.has(one.id)) || other.share - one.share);
  const slack = kept.size === 0 ? SLACK : 0;
  let used = others;
  for (;;) {
    const wanted = chosen.reduce((sum, { count }) => sum + count, 0);
    if (wanted < processors.length && wanted + used + slack <= processors.length) return chosen;
    const last = chosen.pop();
    if (last === undefined) return [];
    used += last.share;
  }
}
