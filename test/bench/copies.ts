import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '../../src/client/client.ts';
import { endOfTask } from '../../src/client/task-end.ts';
import type { Task } from '../../src/contract/tasks.ts';
import { poolDirectory } from '../../src/core/naming.ts';
import { destroySubvolume, snapshotSubvolume } from '../../src/host/btrfs.ts';
import { TestDaemon } from '../support/daemon.ts';
import { type Measurement, measure, type Subject, timed } from './measure.ts';
import type { Comparison, Section } from './report.ts';

const MIB = 1024 ** 2;
const IN_A_ROW = 100;
const SIZES = [
  { vps: 'small', text: '250 MB', bytes: 250 * MIB },
  { vps: 'large', text: '10 GB', bytes: 10 * 1024 * MIB },
] as const;
const BARE = 'bare ioctl: snapshot, 250 MB';

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
    execFileSync('fallocate', ['--length', String(bytes), join(volume, 'upper/data')]);
    volumes.set(vps, volume);
  }
  execFileSync('sync', ['--file-system', pool]);
  const measurements = await measure(
    [
      ...SIZES.flatMap(({ vps, text }) => subjects(client, vps, text)),
      bare(volumes.get('small') ?? '', pool),
    ],
    rounds,
    (round) => console.log(`copies: round ${round + 1} of ${rounds}`),
  );
  return {
    title: 'Snapshots and copies',
    notes: [
      'Of a stopped VPS of technique os, whose data is allocated and not written, on the pool that Mullion makes.',
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
