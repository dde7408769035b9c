import assert from 'node:assert/strict';
import { globSync, readFileSync, readlinkSync } from 'node:fs';
import { BRIDGE_PREFIX, cgroupRoot, createNaming, LINK_PREFIX } from '../../src/core/naming.ts';
import { attempt } from './netns.ts';
import { eventually } from './scratch.ts';

/** What an installation holds of the host, as sorted lines by kind. Read from the namespaces of this process. */
export type Inventory = Readonly<Record<InventoryKind, readonly string[]>>;
export type InventoryKind =
  | 'mounts'
  | 'netns'
  | 'links'
  | 'tables'
  | 'cgroups'
  | 'loops'
  | 'subvolumes'
  | 'processes';

export interface Place {
  readonly stateDirectory: string;
  readonly runDirectory: string;
}

export async function takeInventory(place: Place): Promise<Inventory> {
  const { instance } = createNaming(place.stateDirectory, place.runDirectory);
  return {
    mounts: mounts(),
    netns: await lines(['ip', 'netns', 'list']),
    links: (await lines(['ip', '-o', 'link'])).map((line) => (line.split(': ')[1] ?? '').split('@')[0] ?? ''),
    tables: await lines(['nft', 'list', 'tables']),
    cgroups: globSync([
      `/sys/fs/cgroup/*mullion-${instance}*/**/`,
      `/sys/fs/cgroup/*/*mullion-${instance}*/**/`,
    ]).sort(),
    loops: (await lines(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'])).filter((line) =>
      line.includes(place.stateDirectory),
    ),
    // Copies of the pool's seed come and go with new volumes.
    subvolumes: (await lines(['btrfs', 'subvolume', 'list', `${place.stateDirectory}/pool`]))
      .map((line) => line.replace(/^.* path /, ''))
      .filter((path) => !path.startsWith('seeds/')),
    processes: ownProcesses(place).map(({ pid, command }) => `${pid} ${command}`),
  };
}

/** The daemon and what serves its networks come and go with it: their pids say nothing of VPSs. */
const SERVING = /daemon run|dnsmasq|lxcfs/;
const SETTLE_MS = 15_000;

const withoutServing = (inventory: Inventory): Inventory => ({
  ...inventory,
  processes: inventory.processes.filter((line) => !SERVING.test(line)),
});

/** Waits until `take` finds nothing that `before` lacks but what serves all VPSs. @throws AssertionError naming what stays */
export async function nothingLeft(before: Inventory, take: () => Promise<Inventory>): Promise<void> {
  let left: ReturnType<typeof leftBehind> = {};
  await eventually(
    'nothing is left',
    async () => {
      left = leftBehind(withoutServing(before), withoutServing(await take()));
      return Object.keys(left).length === 0;
    },
    SETTLE_MS,
  ).catch(() => assert.deepEqual(left, {}));
}

/** Lines of `after` that `before` lacks, by kind; empty when nothing was left. */
export function leftBehind(before: Inventory, after: Inventory): Partial<Record<InventoryKind, string[]>> {
  const kinds: readonly InventoryKind[] = [
    'mounts',
    'netns',
    'links',
    'tables',
    'cgroups',
    'loops',
    'subvolumes',
    'processes',
  ];
  return Object.fromEntries(
    kinds
      .map((kind) => [kind, after[kind].filter((line) => !before[kind].includes(line))] as const)
      .filter(([, added]) => added.length > 0),
  );
}

/** Processes whose cgroup, command line, environment or root folder belongs to the installation. */
export function ownProcesses(place: Place): { readonly pid: number; readonly command: string }[] {
  const naming = createNaming(place.stateDirectory, place.runDirectory);
  const names = [cgroupRoot(naming), BRIDGE_PREFIX(naming), LINK_PREFIX(naming)];
  return globSync('/proc/[0-9]*').flatMap((folder) => {
    const pid = Number(folder.slice('/proc/'.length));
    if (pid === process.pid) return [];
    const command = read(`${folder}/cmdline`).replaceAll('\0', ' ').trim();
    // A zombie holds nothing.
    if (command === '') return [];
    const marks = [...names, place.stateDirectory, place.runDirectory];
    const about = [read(`${folder}/cgroup`), command, link(`${folder}/root`), read(`${folder}/environ`)];
    return marks.some((mark) => about.some((text) => text.includes(mark))) ? [{ pid, command }] : [];
  });
}

const mounts = (): string[] =>
  read('/proc/self/mountinfo')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [head, tail] = line.split(' - ');
      return `${head?.split(' ')[4]} ${tail?.split(' ')[0]}`;
    })
    .sort();

async function lines(argv: readonly string[]): Promise<string[]> {
  const { stdout } = await attempt(argv);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .sort();
}

/** Empty when it cannot be read: the process may have ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function link(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
