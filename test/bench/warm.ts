import type { LaunchInput } from '../../src/contract/vps.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import { ended, execAnswers, launching } from './launches.ts';
import { measure, type Subject } from './measure.ts';
import type { Comparison, Section } from './report.ts';

/** A cold start takes many seconds. */
const MOST_ROUNDS = 5;
const MACHINE = { image: 'debian/12', technique: 'full', memory: '512M', disk: '3G' } as const;
const COLD = 'full, cold start, until exec answers';
const WARM = 'full, warm start, until running as itself';

/** Its agent has answered by then: it gave the guest its name. */
export const WARM_AIMS: readonly Comparison[] = [
  { what: 'warm start, until running as itself, milliseconds', of: WARM, atMost: 1000 },
];

export async function warmSection(rounds: number): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-warm');
  await daemon.ensureImage();
  const { client } = daemon;
  const launch = async (name: string, more: Partial<LaunchInput> = {}): Promise<void> =>
    ended(
      client,
      await client.call('vps.launch', { body: { ...MACHINE, ...more, name }, query: { wait: 60 } }),
    );
  await launch('first', { warm: true });
  await eventually(
    'a template is made',
    async () =>
      (await client.call('tasks.list')).some(
        ({ kind, state }) => kind === 'template.build' && state === 'done',
      ),
    600_000,
  );
  await ended(
    client,
    await client.call('vps.delete', { params: { name: 'first' }, query: { force: 'true', wait: 60 } }),
  );
  const subjects: Subject[] = [
    launching(daemon, COLD, 'e', async (name) => {
      await launch(name);
      await execAnswers(client, name);
    }),
    launching(daemon, WARM, 'f', (name) => launch(name, { warm: true })),
    launching(daemon, 'full, warm start, until exec answers', 'g', async (name) => {
      await launch(name, { warm: true });
      await execAnswers(client, name);
    }),
  ];
  return {
    title: 'A virtual machine from the memory of one that has booted',
    notes: [
      'Debian with systemd on an emulated processor (technique full). Running as itself means: it has its name, machine id,',
      'clock, random numbers and link, all given by its agent.',
    ],
    measurements: await measure(subjects, Math.min(rounds, MOST_ROUNDS), (round) =>
      console.log(`warm: round ${round + 1}`),
    ),
  };
}
