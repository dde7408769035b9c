import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../src/client/client.ts';
import { endOfTask } from '../../src/client/task-end.ts';
import type { Task } from '../../src/contract/tasks.ts';
import { poolDirectory } from '../../src/core/naming.ts';
import { destroySubvolume, snapshotSubvolume } from '../../src/host/btrfs.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/scratch.ts';
import { type Measurement, measure, type Subject, timed } from './measure.ts';
import type { Comparison, Section } from './report.ts';

const MIB = 1024 ** 2;
const IN_A_ROW = 100;
const SIZES = [
  { vps: 'small', text: '250 MB', bytes: 250 * MIB },
  { vps: 'large', text: '10 GB', bytes: 10 * 1024 * MIB },
] as const;
const BARE = 'bare ioctl: snapshot, 250 MB';
/** Files of different sizes, as a server has them, rather than one. */
const FILES = 50;
/** A VPS that writes all the time while it is snapshot. */
const BUSY = 'busy';
const WRITER = 'while :; do dd if=/dev/zero of=/root/written bs=64k count=400 conv=fsync 2>/dev/null; done';

const flat = (verb: string): Comparison => ({
  what: `${verb}: 10 GB against 250 MB`,
  of: `${verb}, 10 GB`,
  against: `${verb}, 250 MB`,
  atMost: 1.5,
});
export const COPY_AIMS: readonly Comparison[] = [
  flat('snapshot'),
  flat('copy'),
  flat('delete a copy'),
  { what: 'snapshot by Mullion, against the bare ioctl', of: 'snapshot, 250 MB', against: BARE, atMost: 3 },
];

async function ended(client: Client, started: Promise<Task>): Promise<void> {
  const task = await endOfTask(client, await started);
  if (task.error !== null) throw new Error(task.error.message);
}

const query = { wait: 60 };
const copy = (client: Client, vps: string, name: string): Promise<void> =>
  ended(client, client.call('vps.copy', { params: { name: vps }, query, body: { name } }));
const remove = (client: Client, name: string): Promise<void> =>
  ended(client, client.call('vps.delete', { params: { name }, query }));

/** Written, not only allocated: what is flat must not depend on how many extents there are. */
function writeData(folder: string, bytes: number): void {
  mkdirSync(folder, { recursive: true });
  const sum = (FILES * (FILES + 1)) / 2;
  for (let file = 1; file <= FILES; file += 1) {
    const blocks = Math.round((bytes / MIB) * (file / sum));
    const target = `of=${join(folder, String(file))}`;
    execFileSync('dd', ['if=/dev/zero', target, 'bs=1M', `count=${blocks}`, 'status=none']);
  }
}

/** Snapshots, copies and their deletion, by the API until each is done, at two sizes of data. */
export async function copySection(rounds: number): Promise<Section> {
  await using daemon = await TestDaemon.start('bench-copies', { poolSize: '16G' });
  await daemon.ensureImage();
  const { client } = daemon;
  const pool = poolDirectory({ instance: '', ...daemon.place });
  const volumes = new Map<string, string>();
  for (const { vps, bytes } of SIZES) {
    await daemon.ok(['launch', 'debian/12', vps, '--technique', 'os', '--disk', '11G', '--no-start']);
    const volume = join(pool, 'volumes', (await client.call('vps.info', { params: { name: vps } })).id);
    writeData(join(volume, 'upper/data'), bytes);
    volumes.set(vps, volume);
  }
  execFileSync('sync', ['--file-system', pool]);
  await daemon.ok(['launch', 'debian/12', BUSY, '--technique', 'os', '--disk', '2G']);
  const measurements = await measure(
    [
      ...SIZES.flatMap(({ vps, text }) => subjects(client, vps, text)),
      whileWriting(daemon),
      bare(volumes.get('small') ?? '', pool),
    ],
    rounds,
    (round) => console.log(`copies: round ${round + 1} of ${rounds}`),
  );
  return {
    title: 'Snapshots and copies',
    notes: [
      'Of a stopped VPS of technique os with 50 files of its own, on the pool that Mullion makes; and of one that writes all the time.',
    ],
    measurements: [...measurements, await inARow(client)],
  };
}

function subjects(client: Client, vps: string, text: string): Subject[] {
  return [
    {
      name: `snapshot, ${text}`,
      run: async (round) => {
        const snapshot = `s${round}`;
        const params = { name: vps };
        const body = { name: snapshot };
        const milliseconds = await timed(() =>
          ended(client, client.call('snapshots.create', { params, query, body })),
        );
        await ended(client, client.call('snapshots.delete', { params: { name: vps, snapshot }, query }));
        return milliseconds;
      },
    },
    {
      name: `copy, ${text}`,
      run: async (round) => {
        const milliseconds = await timed(() => copy(client, vps, `c-${vps}${round}`));
        await remove(client, `c-${vps}${round}`);
        return milliseconds;
      },
    },
    {
      name: `delete a copy, ${text}`,
      run: async (round) => {
        await copy(client, vps, `d-${vps}${round}`);
        return timed(() => remove(client, `d-${vps}${round}`));
      },
    },
  ];
}

/** The kernel writes out first what the guest has not. */
function whileWriting(daemon: TestDaemon): Subject {
  return {
    name: 'snapshot of a VPS that writes without end',
    run: async (round) => {
      const writer = daemon.cli(['exec', BUSY, '--', 'timeout', '3', 'sh', '-c', WRITER]);
      const seen = (): Promise<string> =>
        daemon.inside(BUSY, 'stat -c %Y%i /root/written 2>/dev/null || true');
      const before = await seen();
      await eventually('it writes', async () => (await seen()) !== before);
      const params = { name: BUSY };
      const snapshot = `w${round}`;
      const body = { name: snapshot };
      const milliseconds = await timed(() =>
        ended(daemon.client, daemon.client.call('snapshots.create', { params, query, body })),
      );
      await ended(
        daemon.client,
        daemon.client.call('snapshots.delete', { params: { name: BUSY, snapshot }, query }),
      );
      await writer;
      return milliseconds;
    },
  };
}

/** What the kernel alone takes for the same. */
function bare(volume: string, pool: string): Subject {
  const folder = join(pool, 'bench');
  mkdirSync(folder, { recursive: true });
  return {
    name: BARE,
    run: async (round) => {
      const target = join(folder, `s${round}`);
      const milliseconds = await timed(() => snapshotSubvolume(volume, target, true));
      destroySubvolume(target);
      return milliseconds;
    },
  };
}

async function inARow(client: Client): Promise<Measurement> {
  const samples: number[] = [];
  for (let index = 0; index < IN_A_ROW; index += 1) {
    samples.push(await timed(() => copy(client, 'small', `row${index}`)));
  }
  return { name: `each of ${IN_A_ROW} copies in a row, 250 MB`, unit: 'ms', samples };
}
