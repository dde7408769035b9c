import {
  chmodSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import * as btrfs from '../../host/btrfs.ts';
import { hasCode } from '../../host/system-error.ts';
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
  readonly #requireRoom: () => Promise<void>;
  readonly #keepsSpares: boolean;
  readonly #ready: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What is done to the seed and its copies, one after another. */
  #tail: Promise<unknown> = Promise.resolve();

  /** `requireRoom` fails when nothing new may be made in the pool. */
  constructor(folders: PoolFolders, requireRoom: () => Promise<void>, keepsSpares: boolean) {
    this.#folders = folders;
    this.#requireRoom = requireRoom;
    this.#keepsSpares = keepsSpares;
  }

  /** A pool without room opens all the same, so that some can be made. */
  async open(): Promise<void> {
    await this.#inTurn(async () => {
      await this.#ensure();
      // Images that an older version sealed, which knew of no seed.
      if (await raise(this.#folders.seed(), this.#highestOfImages())) this.#drop();
      await this.#fill();
    }).catch((failure: unknown) => {
      if (!hasCode(failure, 'ENOSPC')) throw failure;
    });
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    await this.#inTurn(() => this.#ready.splice(0));
  }

  /** Has the numbers of new volumes begin above those of this image, and of all before it. @throws SystemError ENOSPC */
  raise(image: string): Promise<void> {
    return this.#inTurn(async () => {
      await this.#ensure();
      if (await raise(this.#folders.seed(), btrfs.highestInode(image))) this.#drop();
    });
  }

  /** Once an image is on the disk: data that is younger than a volume's subvolume counts as written by the volume. */
  renew(): Promise<void> {
    return this.#inTurn(async () => {
      this.#drop();
      await this.#fill();
    });
  }

  /** @throws SystemError EEXIST, ENOTEMPTY, ENOSPC */
  async copyTo(target: string): Promise<void> {
    const ready = this.#ready.shift();
    // Another daemon that opens the same pool may have used or dropped it.
    if (ready !== undefined && existsSync(ready)) renameSync(ready, target);
    else {
      await this.#inTurn(() => this.#ensure());
      await btrfs.snapshotSubvolume(this.#folders.seed(), target, false);
    }
    // The next number stays: it is known from here on, and what comes first in a volume keeps it.
    rmSync(join(target, FLOOR), { force: true });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#inTurn(() => this.#fill()), QUIET_MS).unref();
  }

  async #ensure(): Promise<void> {
    const seed = this.#folders.seed();
    if (existsSync(seed)) return;
    mkdirSync(dirname(seed), { recursive: true, mode: 0o711 });
    const draft = this.#folders.making('seed');
    if (existsSync(draft)) btrfs.destroySubvolume(draft);
    btrfs.createSubvolume(draft);
    chmodSync(draft, 0o700);
    await raise(draft, this.#highestOfImages());
    renameSync(draft, seed);
  }

  #highestOfImages(): bigint {
    const images = this.#folders.listImages().filter(({ sealed }) => sealed);
    return images
      .map(({ id }) => btrfs.highestInode(this.#folders.image(id)))
      .reduce((one, other) => (one > other ? one : other), 0n);
  }

  get #spares(): string[] {
    return SPARES.map((name) => this.#folders.seed(name));
  }

  /** Without room there are none: who needs a copy is told then. Those of an earlier daemon may be older than an image. */
  async #fill(): Promise<void> {
    for (const path of this.#spares.filter((one) => !this.#ready.includes(one))) {
      try {
        if (existsSync(path)) btrfs.destroySubvolume(path);
        if (!this.#keepsSpares) continue;
        await this.#requireRoom();
        await btrfs.snapshotSubvolume(this.#folders.seed(), path, false);
      } catch {
        return;
      }
      this.#ready.push(path);
    }
  }

  #drop(): void {
    this.#ready.splice(0);
  }

  #inTurn<T>(work: () => T | Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }
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
