import { cpus } from 'node:os';
import { Guest } from '../../src/cli/compare/guest.ts';
import { bootTimes, type Commanded } from '../../src/cli/compare/measure-boot.ts';
import type { Technique, TechniqueReport } from '../../src/contract/techniques.ts';
import { DEFAULT_LIMITS } from '../../src/contract/vps.ts';
import { poolDirectory } from '../../src/core/naming.ts';
import type { ImageFiles, Machine } from '../../src/drivers/driver.ts';
import { TestDaemon } from '../support/daemon.ts';
import { bareMachine, groundOf } from './bare-ground.ts';
import { type PreparedMachine, prepareQemu, prepareUml } from './bare-machines.ts';
import { ended, execAnswers } from './launches.ts';
import { type Measurement, measure, type Subject } from './measure.ts';
import type { Comparison, Section } from './report.ts';

/** A boot takes many seconds. */
const MOST_ROUNDS = 3;
const LOOKS = 5;
export const IMAGE = 'debian/12';
const GIB = 1024 ** 3;
export const LIMITS = { ...DEFAULT_LIMITS, disk: 3 * GIB };

/** How each is started by hand. */
export const BY_HAND: Readonly<
  Partial<Record<Technique, { program: string; prepare(machine: Machine): Promise<PreparedMachine> }>>
> = {
  full: { program: 'bare QEMU', prepare: prepareQemu },
  hardware: { program: 'bare QEMU', prepare: prepareQemu },
  kernel: { program: 'bare User-Mode Linux', prepare: prepareUml },
};
const MACHINES: readonly Technique[] = ['full', 'hardware', 'kernel', 'para'];

const UNTIL = {
  userspace: 'until userspace is up',
  agent: 'until its agent has run a command',
  ready: 'until systemd is ready',
} as const;
type Mark = keyof typeof UNTIL;
const MARKS = Object.keys(UNTIL) as Mark[];

const LAUNCH = 'mullion launch';
const nameOf = (technique: Technique, who: string, mark: Mark): string =>
  `${technique}, ${who}, ${UNTIL[mark]}`;

export const MACHINE_AIMS: readonly Comparison[] = [
  ...Object.entries(BY_HAND).flatMap(([id, { program }]) =>
    (['userspace', 'agent'] as const).map((mark): Comparison => {
      const technique = id as Technique;
      return {
        what: `${technique} against ${program}, ${UNTIL[mark]}`,
        of: nameOf(technique, LAUNCH, mark),
        against: nameOf(technique, program, mark),
        atMost: 1.15,
      };
    }),
  ),
  {
    what: `full, ${UNTIL.ready}, milliseconds`,
    of: nameOf('full', LAUNCH, 'ready'),
    atMost: 12_000,
  },
];

/** One boot in milliseconds; `start` answers once the machine's agent has run a command. */
async function bootOf(start: () => Promise<Commanded>): Promise<Record<Mark, number>> {
  const began = performance.now();
  const guest = await start();
  const agent = performance.now() - began;
  const times = await bootTimes(guest, LOOKS);
  if (times?.ready === undefined) throw new Error('systemd did not tell its times');
  return { userspace: times.userspace * 1000 - began, agent, ready: times.ready * 1000 - began };
}

/** A subject whose every run tells several times. */
class Boots implements Subject {
  readonly name: string;
  readonly #technique: Technique;
  readonly #boot: (round: number) => Promise<Record<Mark, number>>;
  readonly #seen: Record<Mark, number>[] = [];

  constructor(technique: Technique, name: string, boot: (round: number) => Promise<Record<Mark, number>>) {
    this.#technique = technique;
    this.name = name;
    this.#boot = boot;
  }

  async run(round: number): Promise<number> {
    const times = await this.#boot(round);
    // The first is not measured.
    if (round > 0) this.#seen.push(times);
    return times.agent;
  }

  get measurements(): Measurement[] {
    return MARKS.map((mark) => ({
      name: nameOf(this.#technique, this.name, mark),
      unit: 'ms',
      samples: this.#seen.map((times) => times[mark]),
    }));
  }
}

function byMullion({ client }: TestDaemon, technique: Technique): Boots {
  return new Boots(technique, LAUNCH, async (round) => {
    const name = `${technique}${round}`;
    const query = { wait: 60 };
    const times = await bootOf(async () => {
      const body = { image: IMAGE, name, technique, ...LIMITS };
      await ended(client, await client.call('vps.launch', { body, query }));
      await execAnswers(client, name);
      return new Guest(client, {}, name, new AbortController().signal);
    });
    await ended(
      client,
      await client.call('vps.delete', { params: { name }, query: { force: 'true', ...query } }),
    );
    return times;
  });
}

/** Its volume lies in the pool, as those of VPSs do. */
function byHand(technique: Technique, folder: string, image: ImageFiles): Boots[] {
  const bare = BY_HAND[technique];
  if (bare === undefined) return [];
  return [
    new Boots(technique, bare.program, async (round) => {
      const prepared = await bare.prepare(bareMachine(technique, folder, image, LIMITS, round));
      await using running = new AsyncDisposableStack();
      return await bootOf(async () => {
        const guest = running.use(prepared.start());
        await guest.answers();
        return guest;
      });
    }),
  ];
}

export const isHealthy = ({ state }: TechniqueReport): boolean => state === 'healthy';

/** Launches that boot, side by side with what is below them, started by hand with the same arguments. */
export async function machineSection(rounds: number): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-machines');
  await daemon.ensureImage();
  const { client } = daemon;
  const reports = (await client.call('techniques.list', { query: {} })).filter(({ id }) =>
    MACHINES.includes(id),
  );
  const subjects: Boots[] = [];
  for (const { id } of reports.filter(isHealthy)) {
    // The image's parts are in the pool once a volume was filled from them.
    const body = { image: IMAGE, name: `${id}-parts`, technique: id, ...LIMITS, start: false };
    await ended(client, await client.call('vps.launch', { body, query: { wait: 60 } }));
    subjects.push(byMullion(daemon, id), ...byHand(id, ...groundOf(poolOf(daemon))));
  }
  await measure(subjects, Math.min(rounds, MOST_ROUNDS), (round) =>
    console.log(`machines: round ${round + 1}`),
  );
  return {
    title: 'Machines that boot',
    notes: [
      `Debian with systemd, ${LIMITS.cpus} processor of ${cpus().length}, from \`mullion launch\` by the API; and its bare component, started by hand with`,
      'the same arguments, kernel, initial file system, memory, and a disk made before. Userspace is up when the first',
      "process begins, by systemd's own times. In a bare machine the agent has the priority of any other process.",
      ...reports.filter((report) => !isHealthy(report)).map(({ id, reason }) => `Not here: ${id}. ${reason}`),
    ],
    measurements: subjects.flatMap(({ measurements }) => measurements),
  };
}

export const poolOf = ({ place }: TestDaemon): string => poolDirectory({ instance: '', ...place });
