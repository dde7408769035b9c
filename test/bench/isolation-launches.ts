import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon } from '../support/daemon.ts';
import { apiLaunch, launching } from './launches.ts';
import { type Measurement, measure, median, type Subject } from './measure.ts';

export const WITH = 'mullion launch of a program that sleeps, API, until running';
export const WITHOUT = 'the same without what isolates';
export const DIFFERENCE = 'what isolation adds: their difference';

/** What a launch makes ready for the next one is done by then. */
const REST_MS = 500;

/** Launches through two daemons that differ in nothing else, in turn. */
export async function isolationLaunches(rounds: number): Promise<Measurement[]> {
  const module = '../bench/sleeping-daemon.ts';
  await using whole = await TestDaemon.start('bench-whole', {
    module,
    runInMemory: true,
    subnet: '10.78.0.0/24',
  });
  await using bare = await TestDaemon.start('bench-bare', {
    module,
    runInMemory: true,
    subnet: '10.79.0.0/24',
    env: { MULLION_BENCH_BARE: 'yes' },
  });
  for (const daemon of [whole, bare]) await daemon.ensureImage();
  const measured = await measure([rested(WITH, whole), rested(WITHOUT, bare)], rounds, (round) =>
    console.log(`launches with and without isolation: round ${round + 1} of ${rounds}`),
  );
  return withDifference(measured);
}

function rested(name: string, daemon: TestDaemon): Subject {
  const { run } = launching(daemon, name, 's', apiLaunch(daemon.client));
  return {
    name,
    run: async (round) => {
      await sleep(REST_MS);
      return run(round);
    },
  };
}

/** The median of the third is the difference of the medians of the two. */
export function withDifference(measured: readonly Measurement[]): Measurement[] {
  const [whole, bare] = measured;
  if (whole === undefined || bare === undefined) throw new RangeError('two are compared');
  const without = median(bare.samples);
  return [
    whole,
    bare,
    { name: DIFFERENCE, unit: 'ms', samples: whole.samples.map((sample) => sample - without) },
  ];
}
