import { chmodSync, closeSync, lstatSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { withinMounts } from '../../../host/mount-namespaces.ts';
import {
  carryMount,
  detachMount,
  MS,
  makeBelowReadOnly,
  mount,
  pickMount,
  placeMount,
  setPropagation,
  unmount,
} from '../../../host/mounts.ts';
import { makeNode, S_IFCHR } from '../../../host/nodes.ts';
import { run } from '../../../host/run.ts';
import type { Cover } from './proc-view.ts';
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

export interface Dress {
  readonly covers: readonly Cover[];
  /** What lxcfs serves: descriptors by the path below /proc. */
  readonly shares: ReadonlyMap<string, number>;
}

/** Descriptors of mounts that are closed when the scope ends. */
class Mounts implements Disposable {
  readonly #fds: number[] = [];
  pick(path: string, options: Parameters<typeof pickMount>[1] = {}): number {
    const fd = pickMount(path, options);
    this.#fds.push(fd);
    return fd;
  }
  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd);
  }
}

/** What a container is dressed in that need not know it: made while the container itself is. */
export interface Wardrobe extends Disposable {
  readonly stage: Stage;
  readonly nodes: readonly { readonly target: string; readonly fd: number }[];
}

export function fillWardrobe(staging: string, sys: Tree): Wardrobe {
  const stage = openStage(staging);
  const { mounts, place } = stage;
  try {
    writeTree(place('tree'), sys);
    placeMount(mounts.pick(place('tree'), { readOnly: true }), place('sys'));
    const nodes = makeDevices(place('dev')).map((name) => ({
      target: `/dev/${name}`,
      fd: mounts.pick(place(`dev/${name}`)),
    }));
    return { stage, nodes, [Symbol.dispose]: () => stage[Symbol.dispose]() };
  } catch (failure) {
    stage[Symbol.dispose]();
    throw failure;
  }
}

/**
 * Gives a container that has not begun its own /proc, /sys and devices. Its root can neither take away what covers the
 * kernel's files nor mount a second /proc or /sys to look behind.
 */
export function dress(pid: number, { stage, nodes }: Wardrobe, shown: Dress): void {
  const { mounts, place } = stage;
  const own = withinMounts(pid, () => ({
    groups: mounts.pick('/sys/fs/cgroup', { withMountsBelow: true }),
    proc: mounts.pick('/proc'),
    branches: OWN_BRANCHES.map((path) => ({ path, fd: mounts.pick(`/sys/${path}`, { readOnly: true }) })),
  }));
  placeMount(own.proc, place('proc'));
  layCovers(stage, shown);
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

export interface Stage extends Disposable {
  readonly mounts: Mounts;
  place(name: string): string;
}

/** Files in memory that nobody else sees, to put mounts together in. */
function openStage(staging: string): Stage {
  mkdirSync(staging, { recursive: true });
  mount('tmpfs', staging, 'tmpfs', MS.nosuid | MS.noexec, 'size=1m,nr_inodes=2048,mode=755');
  const mounts = new Mounts();
  const stage: Stage = {
    mounts,
    place: (name) => join(staging, name),
    [Symbol.dispose]: () => {
      mounts[Symbol.dispose]();
      unmount(staging);
      rmdirSync(staging);
    },
  };
  try {
    mount('none', staging, null, MS.private);
    writeTree(staging, {
      proc: {},
      sys: {},
      tree: {},
      none: {},
      empty: '',
      text: {},
      dev: {},
      hall: {
        ...{ proc: {}, sys: {} },
        former: {
          proc: {},
          sys: {},
          dev: Object.fromEntries(Object.keys(DEVICES).map((name) => [name, ''])),
        },
      },
    });
    return stage;
  } catch (failure) {
    stage[Symbol.dispose]();
    throw failure;
  }
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
    setPropagation(fd, 'private');
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

/** A path that this kernel does not have is passed over. */
function layCovers({ mounts, place }: Stage, { covers, shares }: Dress): void {
  for (const cover of covers) {
    const target = join(place('proc'), cover.path);
    const there = lstatSync(target, { throwIfNoEntry: false });
    if (there === undefined || there.isSymbolicLink()) continue;
    const counted = shares.get(cover.path);
    const source =
      counted !== undefined
        ? `/proc/self/fd/${counted}`
        : cover.by === 'nothing'
          ? place(there.isDirectory() ? 'none' : 'empty')
          : writeText(join(place('text'), cover.path), cover.text);
    placeMount(mounts.pick(source), target);
  }
  makeBelowReadOnly(place('proc'));
}

function writeText(path: string, text: string): string {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text, { mode: 0o444 });
  return path;
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

function writeTree(folder: string, tree: Tree): void {
  for (const [name, content] of Object.entries(tree)) {
    const path = join(folder, name);
    if (typeof content === 'string') writeFileSync(path, content, { mode: 0o444 });
    else {
      mkdirSync(path, { mode: 0o755 });
      writeTree(path, content);
    }
  }
}
