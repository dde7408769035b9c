import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as btrfs from '../../host/btrfs.ts';
import type { PoolFolders } from '../pool-folders.ts';

/** open(2): a file that has a number and no name. */
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
/** Keeps the numbers of what is made later above its own. */
const FLOOR = '.floor';
/** Files that are made while others wait. */
const SLICE = 200;
/** Copies that are kept ready, and how long nothing is made before they are completed: making one holds up who writes. */
const SPARES = ['spare-1', 'spare-2', 'spare-3', 'spare-4'];
const QUIET_MS = 500;

/**
 * An empty subvolume that new volumes are copies of, because their inode numbers have to begin above those of all images:
 * overlayfs takes two subvolumes for one file system and tells of a file the number that it has in its own. One number for
 * two makes find(1) skip a folder as a loop and cp(1) take two files for one. Copies are kept ready, as making one waits for
 * the disk.
 */
export class Seed {
  readonly #folders: PoolFolders;
  readonly #ready: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What is done to the seed and its copies, one after another. */
  #tail: Promise<unknown> = Promise.resolve();

  constructor(folders: PoolFolders) {
    this.#folders = folders;
  }

  async open(): Promise<void> {
    if (!existsSync(this.#folders.seed())) {
      const draft = this.#folders.making('seed');
      btrfs.createSubvolume(draft);
      chmodSync(draft, 0o700);
      const images = this.#folders.listImages().filter(({ sealed }) => sealed);
      await raise(draft, highest(images.map(({ id }) => this.#folders.image(id))));
      renameSync(draft, this.#folders.seed());
    }
    await this.#inTurn(() => {
      const floor = floorOf(this.#folders.seed());
      const good = this.#spares.filter((path) => floor !== undefined && floorOf(path) === floor);
      this.#drop(this.#spares.filter((path) => !good.includes(path)));
      this.#ready.push(...good);
      return this.#fill();
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#inTurn(() => this.#ready.splice(0));
  }

  /** Has the numbers of new volumes begin above those of this image, and of all before it. */
  raise(image: string): Promise<void> {
    return this.#inTurn(async () => {
      if (!(await raise(this.#folders.seed(), highest([image])))) return;
      this.#drop(this.#spares);
      await this.#fill();
    });
  }

  /** @throws SystemError EEXIST, ENOSPC */
  async copyTo(target: string): Promise<void> {
    const ready = this.#ready.shift();
    // Another daemon that opens the same pool may have used or dropped it.
    if (ready !== undefined && existsSync(ready)) renameSync(ready, target);
    else await btrfs.snapshotSubvolume(this.#folders.seed(), target, false);
    // The next number stays: it is known from here on, and what comes first in a volume keeps it.
    rmSync(join(target, FLOOR), { force: true });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#fill()), QUIET_MS).unref();
  }

  get #spares(): string[] {
    return SPARES.map((name) => this.#folders.seed(name));
  }

  /** Without room there are none: who needs a copy is told then. */
  async #fill(): Promise<void> {
    for (const path of this.#spares) {
      if (existsSync(path)) continue;
      try {
        await btrfs.snapshotSubvolume(this.#folders.seed(), path, false);
      } catch {
        return;
      }
      this.#ready.push(path);
    }
  }

  #drop(paths: readonly string[]): void {
    this.#ready.splice(0);
    for (const path of paths.filter(existsSync)) btrfs.destroySubvolume(path);
  }

  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
}

const highest = (subvolumes: readonly string[]): bigint =>
  subvolumes.map(btrfs.highestInode).reduce((one, other) => (one > other ? one : other), 0n);

function floorOf(subvolume: string): bigint | undefined {
  return statSync(join(subvolume, FLOOR), { bigint: true, throwIfNoEntry: false })?.ino;
}

/** Whether there was anything to do. */
async function raise(folder: string, floor: bigint): Promise<boolean> {
  if (btrfs.highestInode(folder) > floor) return false;
  while (numberOfNext(folder) <= floor) {
    for (let made = 1; made < SLICE && numberOfNext(folder) <= floor; made += 1);
    await setImmediate();
  }
  const [named, draft] = [join(folder, FLOOR), join(folder, `${FLOOR}.new`)];
  rmSync(draft, { force: true });
  closeSync(openSync(draft, 'wx', 0o600));
  renameSync(draft, named);
  return true;
}

function numberOfNext(folder: string): bigint {
  const fd = openSync(folder, O_TMPFILE | constants.O_RDWR, 0o600);
  try {
    return fstatSync(fd, { bigint: true }).ino;
  } finally {
    closeSync(fd);
  }
}
