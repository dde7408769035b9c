/** How far a piece of work was at a time; `at` in milliseconds. */
export interface Sample {
  readonly at: number;
  readonly done: number;
}

/** The rate is that of this many last milliseconds. */
const WINDOW_MS = 10_000;
const SAMPLE_LIMIT = 64;

/** Adds a sample and drops those that the rate no longer needs. Going back starts anew. */
export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const last = samples.at(-1);
  if (last !== undefined && sample.done < last.done) return [sample];
  const kept = samples.filter(({ at }) => sample.at - at <= WINDOW_MS);
  return [...kept.slice(1 - SAMPLE_LIMIT), sample];
}

/** Units a second over the samples; undefined while it cannot be told. */
export function rateOf(samples: readonly Sample[]): number | undefined {
  const first = samples[0];
  const last = samples.at(-1);
  if (first === undefined || last === undefined || last.at <= first.at) return undefined;
  return ((last.done - first.done) * 1000) / (last.at - first.at);
}

/** Seconds until `total` at this rate, rounded up; undefined while it cannot be told. */
export function secondsLeft(
  done: number,
  total: number | undefined,
  rate: number | undefined,
): number | undefined {
  if (total === undefined || rate === undefined || rate <= 0) return undefined;
  return Math.ceil(Math.max(0, total - done) / rate);
}
