import { globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { ensureDebianPackages } from '../../scripts/debian-packages.ts';
import { primeImageCache } from '../../scripts/image-cache.ts';
import { poolDirectory } from '../../src/core/naming.ts';
import { detectCgroups } from '../../src/host/cgroup-layout.ts';
import { osRelease } from '../../src/host/facts.ts';
import { ROOT, TestDaemon } from '../support/daemon.ts';
import { mountMemory } from '../support/memory-folder.ts';
import { enterPrivateNetns, inPrivateNetns } from '../support/netns.ts';
import { BACKUP_AIMS, backupSection } from './backups.ts';
import { COPY_AIMS, copySection } from './copies.ts';
import { execSection } from './exec.ts';
import { ISOLATION_AIMS, isolationSection } from './isolation.ts';
import { launches } from './launches.ts';
import { leakSection } from './leaks.ts';
import { MACHINE_AIMS, machineSection } from './machines.ts';
import { measure, type Subject } from './measure.ts';
import { bareCrun, crunState, lxcStart, openEntrance, podmanRun } from './neighbours.ts';
import { noiseSection } from './noise.ts';
import { type Comparison, renderReport, type Section } from './report.ts';
import { thousandVps } from './thousand.ts';
import { WARM_AIMS, warmSection } from './warm.ts';

const ROUNDS = Number(process.env.MULLION_BENCH_ROUNDS ?? 15);
const LAUNCH = 'mullion launch, API, until running';

const AIMS: readonly Comparison[] = [
  {
    what: 'launch to running, against bare crun run',
    of: LAUNCH,
    against: 'crun run (prepared bundle)',
    atMost: 3,
  },
  { what: 'launch to running, against podman', of: LAUNCH, against: 'podman run --rootfs', atMost: 1 / 3 },
  {
    what: 'start of the command, against node',
    of: 'mullion version',
    against: 'node -e 0 (the pinned Node)',
    atMost: 1.5,
  },
  { what: 'daemon resident with 1,000 VPSs', of: 'daemon, resident, 1,000 VPSs', atMost: 100 },
  ...ISOLATION_AIMS,
  ...COPY_AIMS,
  ...BACKUP_AIMS,
  ...WARM_AIMS,
  ...MACHINE_AIMS,
];

async function launchSection(): Promise<Section> {
  await using daemon = await TestDaemon.start('bench', { runInMemory: true });
  await daemon.ensureImage();
  const folder = join(daemon.folder, 'neighbours');
  mkdirSync(folder);
  mountMemory(crunState(folder));
  const rootfs = globSync(`${poolDirectory({ instance: '', ...daemon.place })}/images/*/rootfs`)[0];
  if (rootfs === undefined) throw new Error('the image has no rootfs folder');
  using entrance = await openEntrance();
  const ground = { rootfs, folder, enter: entrance.enter };
  using podman = podmanRun(ground);
  const subjects: Subject[] = [await bareCrun(ground), ...launches(daemon), await lxcStart(ground), podman];
  return {
    title: 'From nothing to a running guest',
    notes: [
      'crun, lxc-start and podman run one program of the same root file system without a network, a volume, a limit or',
      'an address of its own; Mullion gives each VPS all of these, and systemd as its first process. What they keep only while',
      'they run lies in memory, as below /run on most hosts.',
    ],
    measurements: await measure(subjects, ROUNDS, (round) =>
      console.log(`launches: round ${round + 1} of ${ROUNDS}`),
    ),
  };
}

async function ownWorkSection(): Promise<Section> {
  const { measurements, launchMs } = await thousandVps(ROUNDS);
  const seconds = Math.round(launchMs / 100) / 10;
  return {
    title: "Mullion's own work, with 1,000 VPSs on the fake driver",
    notes: [`Launching the 1,000 took ${seconds} s.`],
    measurements,
  };
}

const machine = (): string[] => [
  `${cpus().length} processors, ${cpus()[0]?.model ?? 'of unknown kind'}; ${Math.round(totalmem() / 1024 ** 3)} GiB of memory`,
  `${osRelease().PRETTY_NAME ?? 'unknown system'}, kernel ${release()}, cgroup layout ${detectCgroups().layout}`,
  `Node ${process.version}; ${readFileSync('/proc/loadavg', 'utf8').split(' ')[0]} load at the end`,
];

const SECTIONS: ReadonlyMap<string, () => Promise<Section>> = new Map([
  ['launches', launchSection],
  ['isolation', () => isolationSection(ROUNDS)],
  ['own-work', ownWorkSection],
  ['copies', () => copySection(ROUNDS)],
  ['backups', () => backupSection(ROUNDS)],
  ['leaks', leakSection],
  ['neighbours-noise', noiseSection],
  ['machines', () => machineSection(ROUNDS)],
  ['exec', () => execSection(ROUNDS)],
  ['warm', () => warmSection(ROUNDS)],
]);
/** Arguments name some of the sections; the inner process is told by the environment. */
process.env.MULLION_BENCH_SECTIONS ??= process.argv.slice(2).join(' ');
const chosen = process.env.MULLION_BENCH_SECTIONS.split(' ').filter(Boolean);
const unknown = chosen.find((name) => !SECTIONS.has(name));
if (unknown !== undefined)
  throw new Error(`no section ${unknown}; there are: ${[...SECTIONS.keys()].join(', ')}`);

// Before the network is left behind.
const missing = ensureDebianPackages(['runtime', 'bench']);
if (missing !== undefined) throw new Error(missing);
if (!inPrivateNetns() && !(await primeImageCache())) throw new Error('the image could not be built');

if (enterPrivateNetns(import.meta.url)) {
  const sections: Section[] = [];
  const failed: string[] = [];
  for (const [name, run] of SECTIONS) {
    if (chosen.length > 0 && !chosen.includes(name)) continue;
    try {
      sections.push(await run());
    } catch (failure) {
      // What the others measured is not lost with it.
      failed.push(name);
      console.error(`the section ${name} failed:`, failure);
    }
  }
  const page = renderReport(machine(), sections, AIMS);
  console.log(page);
  // The page is always one complete run.
  if (chosen.length === 0 && failed.length === 0) writeFileSync(join(ROOT, 'docs/benchmarks.md'), page);
  if (failed.length > 0) process.exitCode = 1;
}
