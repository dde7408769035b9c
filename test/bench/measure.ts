/** Something whose time is measured: `run` answers milliseconds, or is timed as a whole. */
export interface Subject {
  readonly name: string;
  readonly unit?: 'ms' | 'MB';
  run(round: number): Promise<number>;
}

export interface Measurement {
  readonly name: string;
  readonly unit: 'ms' | 'MB';
  readonly samples: readonly number[];
}

/** Times an operation. */
export const timed = async (operation: () => Promise<unknown>): Promise<number> => {
  const began = performance.now();
  await operation();
  return performance.now() - began;
};

/**
 * Runs every subject once a round, in an order that turns with each round, so that a machine's slow and fast spells
 * meet all of them alike. One unmeasured round comes first.
 */
export async function measure(
  subjects: readonly Subject[],
  rounds: number,
  onRound: (round: number) => void = () => undefined,
): Promise<Measurement[]> {
  const samples = subjects.map((): number[] => []);
  for (let round = -1; round < rounds; round += 1) {
    onRound(round);
    for (let position = 0; position < subjects.length; position += 1) {
      const index = (position + round + 1) % subjects.length;
      const value = await subjects[index]?.run(round + 1);
      if (round >= 0 && value !== undefined) samples[index]?.push(value);
    }
  }
  return subjects.map(({ name, unit = 'ms' }, index) => ({ name, unit, samples: samples[index] ?? [] }));
}

/** The value below which this share of the samples lies, by nearest rank. */
export function quantile(samples: readonly number[], share: number): number {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = [...samples].sort((a, b) => a - b);
  const rank = Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1));
  return sorted[rank] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  const sorted = [...samples].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle];
  if (upper === undefined) throw new RangeError('no samples');
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? upper)) / 2;
}
