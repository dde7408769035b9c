import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { withinMounts } from '../../../host/mount-namespaces.ts';
import { carryMount, detachMount, placeMount, setPropagation, unmount } from '../../../host/mounts.ts';
import { makeNode, S_IFCHR } from '../../../host/nodes.ts';
import { run } from '../../../host/run.ts';
import { type Dress, layCovers, type ReadyCovers, readyCovers } from './covers.ts';
import { type Mounts, openStage, type Stage, writeTree } from './stage.ts';
import { OWN_BRANCHES, type Tree } from './sys-view.ts';

/** Documentation/admin-guide/devices.txt. */
const DEVICES = {
  null: [1, 3],
  zero: [1, 5],
  full: [1, 7],
  random: [1, 8],
  urandom: [1, 9],
  tty: [5, 0],
} as const;
const CPU = 'devices/system/cpu';
/** A mount of a container that has not begun, and a folder: a way in, and out for what is not to stay. */
const DOOR = '/dev/shm';

/** What a container is dressed in that need not know it: made while the container itself is. */
export interface Wardrobe extends Disposable {
  readonly stage: Stage;
  readonly covers: ReadyCovers;
  readonly nodes: readonly { readonly target: string; readonly fd: number }[];
}

/** `shown` may differ in what is known of the container alone. */
export function fillWardrobe(staging: string, sys: Tree, shown: Dress): Wardrobe {
  const devices = Object.fromEntries(Object.keys(DEVICES).map((name) => [name, '']));
  const stage = openStage(staging, { proc: {}, sys: {}, dev: devices });
  const { mounts, place } = stage;
  try {
    writeTree(place('tree'), sys);
    placeMount(mounts.pick(place('tree'), { readOnly: true }), place('sys'));
    const nodes = makeDevices(place('dev')).map((name) => ({
      target: `/dev/${name}`,
      fd: mounts.pick(place(`dev/${name}`)),
    }));
    const covers = readyCovers(stage, shown);
    return { stage, nodes, covers, [Symbol.dispose]: () => stage[Symbol.dispose]() };
  } catch (failure) {
    stage[Symbol.dispose]();
    throw failure;
  }
}

/**
 * Gives a container that has not begun its own /proc, /sys and devices. Its root can neither take away what covers the
 * kernel's files nor mount a second /proc or /sys to look behind.
 */
export function dress(pid: number, { stage, nodes, covers }: Wardrobe, shown: Dress): void {
  const { mounts, place } = stage;
  const own = withinMounts(pid, () => ({
    groups: mounts.pick('/sys/fs/cgroup', { withMountsBelow: true }),
    proc: mounts.pick('/proc'),
    branches: OWN_BRANCHES.map((path) => ({ path, fd: mounts.pick(`/sys/${path}`, { readOnly: true }) })),
  }));
  placeMount(own.proc, place('proc'));
  layCovers(stage, shown, covers);
  for (const { path, fd } of own.branches) placeMount(fd, join(place('sys'), path));
  bringIn(pid, stage, ['proc', 'sys'], DOOR);
  withinMounts(pid, () => {
    const arrived = pickArrived(mounts, ['proc', 'sys'], DOOR);
    // Each mount that is taken away costs the kernel a wait for all processors: here they go together.
    const isGone = (target: string): boolean => carryMount(target, `${DOOR}/former${target}`);
    if (!arrived.every(({ target }) => isGone(target)))
      throw new TypeError('no /proc or no /sys was mounted');
    for (const { target } of nodes) isGone(target);
    detachMount(DOOR);
    for (const { target, fd } of [...arrived, { target: '/sys/fs/cgroup', fd: own.groups }, ...nodes]) {
      placeMount(fd, target);
    }
  });
}

/**
 * Gives a running container a new /proc: what lies on the old one cannot be changed one by one, as it is locked. mount(8)
 * is the host's and sees the host's files; the container's alone are the processes that it tells of.
 */
export async function dressAgain(pid: number, staging: string, shown: Dress): Promise<void> {
  using stage = openStage(staging);
  const options = ['-t', 'proc', '-o', 'nosuid,nodev,noexec'];
  await run(['nsenter', `--target=${pid}`, '--pid', 'mount', ...options, 'proc', stage.place('proc')]);
  layCovers(stage, shown);
  bringIn(pid, stage, ['proc'], '/proc');
  withinMounts(pid, () => {
    const arrived = pickArrived(stage.mounts, ['proc'], '/proc');
    unmount('/proc');
    for (const { target, fd } of arrived) placeMount(fd, target);
  });
}

/**
 * Takes trees of the stage into the container by way of the hall: a mount on it reaches the hall's copy there, and all that
 * is below such a mount is locked to it, as the container's user namespace has fewer rights (mount_namespaces(7),
 * "Restrictions on mount namespaces"). `door` is where the copy stands.
 */
function bringIn(pid: number, { mounts, place }: Stage, names: readonly TreeName[], door: string): void {
  const hall = mounts.pick(place('hall'));
  placeMount(hall, place('hall'));
  setPropagation(hall, 'shared');
  const copy = mounts.pick(place('hall'));
  setPropagation(copy, 'slave');
  withinMounts(pid, () => placeMount(copy, door));
  for (const name of names) {
    placeMount(mounts.pick(place(name), { withMountsBelow: true }), place(`hall/${name}`));
  }
}

/** What has come in at `door`, to be placed where it belongs. To be called within the container's mounts. */
function pickArrived(mounts: Mounts, names: readonly TreeName[], door: string) {
  return names.map((name) => {
    const fd = mounts.pick(`${door}/${name}`, { withMountsBelow: true });
    // Else the guest could read the numbers of the host's groups of mounts, for as long as the stage is there.
    setPropagation(fd, 'private', { withMountsBelow: true });
    return { target: `/${name}`, fd };
  });
}

type TreeName = 'proc' | 'sys';

/** Nodes without regard to the daemon's mask of modes. */
function makeDevices(folder: string): string[] {
  for (const [name, [major, minor]] of Object.entries(DEVICES)) {
    const path = join(folder, name);
    makeNode(path, S_IFCHR | 0o666, major, minor);
    chmodSync(path, 0o666);
  }
  return Object.keys(DEVICES);
}

/** Shows a running container another number of processors; on top of what it was shown before. */
export function showProcessors(pid: number, staging: string, sys: Tree): void {
  using stage = openStage(staging);
  writeTree(stage.place('tree'), sys);
  const fd = stage.mounts.pick(join(stage.place('tree'), CPU), { readOnly: true });
  withinMounts(pid, () => {
    unmount(`/sys/${CPU}`);
    placeMount(fd, `/sys/${CPU}`);
  });
}
