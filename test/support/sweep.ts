import { existsSync, globSync, readFileSync, rmdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BRIDGE_PREFIX, createNaming, LINK_PREFIX, nftTableName } from '../../src/core/naming.ts';
import { ownProcesses, type Place } from './inventory.ts';
import { attempt } from './netns.ts';
import { eventually } from './scratch.ts';

/** Frees all that an installation of a test holds, however its daemon ended, and deletes its folder. */
export async function sweep(folder: string, place: Place): Promise<void> {
  await eventually(
    `no process of ${folder} is left`,
    () => {
      const left = ownProcesses(place);
      for (const { pid } of left) kill(pid);
      return left.length === 0;
    },
    20_000,
  );
  for (const target of mountsBelow(folder)) await attempt(['umount', '--lazy', target]);
  for (const loop of await loopsOf(folder)) await attempt(['losetup', '--detach', loop]);
  removeCgroups(place);
  await removeNetworks(place);
  rmSync(folder, { recursive: true, force: true });
}

/** Sweeps what a test run that was killed left: folders whose owner no longer runs. */
export async function sweepAbandoned(parent: string): Promise<void> {
  for (const folder of globSync(`${parent}/*/`).map((path) => path.replace(/\/$/, ''))) {
    const owner = join(folder, 'owner');
    const pid = existsSync(owner) ? Number(readFileSync(owner, 'utf8')) : 0;
    if (pid > 0 && !existsSync(`/proc/${pid}`)) await sweep(folder, placeIn(folder));
  }
}

export const placeIn = (folder: string): Place => ({
  stateDirectory: join(folder, 'state'),
  runDirectory: join(folder, 'run'),
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}

/** Deepest first. */
const mountsBelow = (folder: string): string[] =>
  readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((target) => target.startsWith(`${folder}/`))
    .reverse();

async function loopsOf(folder: string): Promise<string[]> {
  const { stdout } = await attempt(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE']);
  return stdout
    .split('\n')
    .filter((line) => line.includes(folder))
    .map((line) => line.split(' ')[0] ?? '');
}

/** Of this process's network namespace: the next installation in it wants the same addresses. */
async function removeNetworks(place: Place): Promise<void> {
  const naming = createNaming(place.stateDirectory, place.runDirectory);
  const prefixes = [BRIDGE_PREFIX(naming), LINK_PREFIX(naming)];
  const links = await attempt(['ip', '-o', 'link']);
  for (const line of links.stdout.split('\n')) {
    const name = (line.split(': ')[1] ?? '').split('@')[0] ?? '';
    if (prefixes.some((prefix) => name.startsWith(prefix))) await attempt(['ip', 'link', 'delete', name]);
  }
  const tables = await attempt(['nft', 'list', 'tables']);
  for (const line of tables.stdout.split('\n').filter((each) => each.includes(nftTableName(naming)))) {
    const [, family, name] = line.split(' ');
    if (family !== undefined && name !== undefined) await attempt(['nft', 'delete', 'table', family, name]);
  }
}

export function removeCgroups(place: Place): void {
  const { instance } = createNaming(place.stateDirectory, place.runDirectory);
  const found = globSync([
    `/sys/fs/cgroup/*mullion-${instance}*/**/`,
    `/sys/fs/cgroup/*/*mullion-${instance}*/**/`,
  ]);
  for (const path of found.sort((a, b) => b.length - a.length)) {
    try {
      rmdirSync(path);
    } catch {
      // Busy until its last process is reaped; an empty cgroup does no harm.
    }
  }
}
