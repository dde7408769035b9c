import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Technique } from '../../src/contract/techniques.ts';
import { createNaming, vpsRunDirectory } from '../../src/core/naming.ts';
import { run } from '../../src/host/run.ts';
import { TestDaemon } from '../support/daemon.ts';
import { bareMachine, groundOf } from './bare-ground.ts';
import { ended, execAnswers } from './launches.ts';
import { BY_HAND, IMAGE, isHealthy, LIMITS, poolOf } from './machines.ts';
import { measure, type Subject, timed } from './measure.ts';
import type { Section } from './report.ts';

const TECHNIQUES: readonly Technique[] = ['os', 'full', 'kernel'];
/** Commands a round: one alone is a matter of luck. */
const COMMANDS = 10;
const MOST_MS = 60_000;

/** The time of one command that does nothing, in a guest that has long booted. */
const commands = (name: string, command: () => Promise<unknown>): Subject => ({
  name,
  run: async () => {
    const milliseconds = await timed(async () => {
      for (let count = 0; count < COMMANDS; count += 1) await command();
    });
    return milliseconds / COMMANDS;
  },
});

/** Commands in guests that stand, by Mullion and by what is below it. */
export async function execSection(rounds: number): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-exec');
  await daemon.ensureImage();
  await using bare = new AsyncDisposableStack();
  const { client, place } = daemon;
  const reports = (await client.call('techniques.list', { query: {} })).filter(({ id }) =>
    TECHNIQUES.includes(id),
  );
  const subjects: Subject[] = [];
  for (const { id: technique } of reports.filter(isHealthy)) {
    const body = { image: IMAGE, name: technique, technique, ...LIMITS };
    await ended(client, await client.call('vps.launch', { body, query: { wait: 60 } }));
    await execAnswers(client, technique);
    subjects.push(commands(`${technique}, exec by the API`, () => execAnswers(client, technique)));
    const below = BY_HAND[technique];
    if (below === undefined) {
      const { id } = await client.call('vps.info', { params: { name: technique } });
      const naming = createNaming(place.stateDirectory, place.runDirectory);
      const pid = readFileSync(join(vpsRunDirectory(naming, id), 'container/init.pid'), 'utf8').trim();
      const argv = ['nsenter', '--all', `--target=${pid}`, '/bin/true'];
      subjects.push(commands(`${technique}, nsenter into all its namespaces`, () => run(argv)));
      continue;
    }
    const machine = bareMachine(technique, ...groundOf(poolOf(daemon)), LIMITS, subjects.length);
    const guest = bare.use((await below.prepare(machine)).start());
    await guest.answers();
    const command = () => guest.run(['/bin/true'], MOST_MS);
    subjects.push(commands(`${technique}, ${below.program}, by its agent`, command));
  }
  const measurements = await measure(subjects, rounds, (round) => console.log(`exec: round ${round + 1}`));
  return {
    title: 'A command in a guest that stands',
    notes: [
      `\`/bin/true\`, ${COMMANDS} times one after another each round; the time of one. By hand it enters the same container, or`,
      'by the agent of a machine that was started by hand, on a connection that stays open.',
      ...reports.filter((report) => !isHealthy(report)).map(({ id, reason }) => `Not here: ${id}. ${reason}`),
    ],
    measurements,
  };
}
