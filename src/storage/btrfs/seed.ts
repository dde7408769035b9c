import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  renameSync,
  rmSync,
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
const SPARE = 'spare-volume';

/**
 * An empty subvolume that new volumes are copies of, because their inode numbers have to begin above those of all images:
 * overlayfs takes two subvolumes for one file system and tells of a file the number that it has in its own. One number for
 * two makes find(1) skip a folder as a loop and cp(1) take two files for one. A copy is kept ready, as making one waits for
 * the disk.
 */
export class Seed {
  readonly #folders: PoolFolders;
  #spare: Promise<string | undefined> | undefined;
  #raising: Promise<void> = Promise.resolve();

  constructor(folders: PoolFolders) {
    this.#folders = folders;
  }

  async open(): Promise<void> {
    if (!existsSync(this.#folders.seed)) {
      const draft = this.#folders.making('seed');
      btrfs.createSubvolume(draft);
      chmodSync(draft, 0o700);
      const images = this.#folders.listImages().filter(({ sealed }) => sealed);
      await raise(draft, highest(images.map(({ id }) => this.#folders.image(id))));
      renameSync(draft, this.#folders.seed);
    }
    await this.#refill();
  }

  async close(): Promise<void> {
    await this.#dropSpare();
  }

  /** Has the numbers of new volumes begin above those of this image, and of all before it. */
  raise(image: string): Promise<void> {
    const raised = this.#raising.then(async () => {
      if (!(await raise(this.#folders.seed, highest([image])))) return;
      await this.#dropSpare();
      void this.#refill();
    });
    this.#raising = raised.catch(() => undefined);
    return raised;
  }

  /** @throws SystemError EEXIST, ENOSPC */
  async copyTo(target: string): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    const ready = await spare;
    if (ready === undefined) await btrfs.snapshotSubvolume(this.#folders.seed, target, false);
    else renameSync(ready, target);
    // The next number stays: it is known from here on, and what comes first in a volume keeps it.
    rmSync(join(target, FLOOR), { force: true });
    void this.#refill();
  }

  /** Without room there is no spare: who needs a copy is told then. */
  #refill(): Promise<string | undefined> {
    const path = this.#folders.making(SPARE);
    this.#spare ??= btrfs.snapshotSubvolume(this.#folders.seed, path, false).then(
      () => path,
      () => undefined,
    );
    return this.#spare;
  }

  async #dropSpare(): Promise<void> {
    const spare = this.#spare;
    this.#spare = undefined;
    const path = await spare;
    if (path !== undefined) btrfs.destroySubvolume(path);
  }
}

const highest = (subvolumes: readonly string[]): bigint =>
  subvolumes.map(btrfs.highestInode).reduce((one, other) => (one > other ? one : other), 0n);

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
