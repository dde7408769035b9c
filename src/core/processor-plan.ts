/** What is to be planned for, at one moment. */
export interface ProcessorDemand {
  /** Processors that each busy machine may use, by its id. */
  readonly busy: ReadonlyMap<string, number>;
  /** Those of the host that may be given. */
  readonly processors: readonly number[];
  /** How much of each was busy lately, of 1. */
  readonly load: ReadonlyMap<number, number>;
  /** Processors that all that is not a busy machine makes use of, in sum. */
  readonly others: number;
  /** What was planned before, but for those that are to be moved. */
  readonly kept: ReadonlyMap<string, readonly number[]>;
}

/** Processors that stay idle beside what others use, so that who wakes up finds one. */
const SLACK = 0.25;

/**
 * Which of the host's processors each busy machine is kept on: as many as it has, none of them another's, the idlest first.
 * What is left has room for all others, whose work the kernel moves there. Where it has not, nobody is kept, and all share
 * by their weights. Who is kept already stays where it is.
 */
export function keepApart(demand: ProcessorDemand): ReadonlyMap<string, readonly number[]> {
  const { busy, processors, load, others, kept } = demand;
  const needs = [...busy].map(([id, cpus]) => ({ id, count: Math.ceil(cpus) }));
  const wanted = needs.reduce((sum, { count }) => sum + count, 0);
  if (wanted >= processors.length || wanted + others + SLACK > processors.length) return new Map();
  const free = new Set(processors);
  const plan = new Map<string, readonly number[]>();
  const give = (id: string, own: readonly number[]): void => {
    plan.set(id, own);
    for (const processor of own) free.delete(processor);
  };
  for (const { id, count } of needs) {
    const own = kept.get(id);
    if (own?.length === count && own.every((processor) => free.has(processor))) give(id, own);
  }
  const loadOf = (processor: number): number => Math.round((load.get(processor) ?? 0) * 10);
  for (const { id, count } of needs) {
    if (plan.has(id)) continue;
    // Most interrupts come to the first ones.
    const idlest = [...free].sort((one, other) => loadOf(one) - loadOf(other) || other - one);
    give(
      id,
      idlest.slice(0, count).sort((one, other) => one - other),
    );
  }
  return plan;
}
