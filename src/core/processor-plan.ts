/**
 * Which of the host's processors each busy machine is kept on: as many as it has, none of them another's, and one at least
 * is nobody's, where all else wakes up at once. Where that cannot be, nobody is kept, and they share what there is by
 * their weights. Who is kept already stays where it is.
 *
 * @param busy processors that each busy machine may use, by its id
 * @param kept what was answered before
 */
export function keepApart(
  busy: ReadonlyMap<string, number>,
  processors: readonly number[],
  kept: ReadonlyMap<string, readonly number[]>,
): ReadonlyMap<string, readonly number[]> {
  const needs = [...busy].map(([id, cpus]) => ({ id, count: Math.ceil(cpus) }));
  const wanted = needs.reduce((sum, { count }) => sum + count, 0);
  if (wanted >= processors.length) return new Map();
  const free = new Set(processors);
  const plan = new Map<string, readonly number[]>();
  for (const { id, count } of needs) {
    const own = kept.get(id);
    if (own?.length !== count || !own.every((processor) => free.has(processor))) continue;
    plan.set(id, own);
    for (const processor of own) free.delete(processor);
  }
  for (const { id, count } of needs) {
    if (plan.has(id)) continue;
    // The first processors are those that most interrupts come to.
    const own = [...free].slice(-count);
    plan.set(id, own);
    for (const processor of own) free.delete(processor);
  }
  return plan;
}
