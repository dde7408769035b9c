import { close, closeSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MS, mount, pickMount, unmount } from '../../../host/mounts.ts';
import type { Tree } from './sys-view.ts';

const closeElsewhere = promisify(close);

/** Descriptors of mounts that are closed when the scope ends. */
export class Mounts implements Disposable {
  readonly #fds: number[] = [];
  pick(path: string, options: Parameters<typeof pickMount>[1] = {}): number {
    const fd = pickMount(path, options);
    this.#fds.push(fd);
    return fd;
  }
  [Symbol.dispose](): void {
    for (const fd of this.#fds) closeSync(fd);
  }
  /** On other threads: a mount that ends with its descriptor keeps who closes it waiting. */
  async closeElsewhere(): Promise<void> {
    await Promise.all(this.#fds.map((fd) => closeElsewhere(fd)));
  }
}

export interface Stage extends Disposable {
  readonly mounts: Mounts;
  place(name: string): string;
}

/** Files in memory that nobody else sees, to put mounts together in. `former` is a tree for mounts that go. */
export function openStage(staging: string, former: Tree = {}): Stage {
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
      hall: { proc: {}, sys: {}, former },
    });
    return stage;
  } catch (failure) {
    stage[Symbol.dispose]();
    throw failure;
  }
}

export function writeTree(folder: string, tree: Tree): void {
  for (const [name, content] of Object.entries(tree)) {
    const path = join(folder, name);
    if (typeof content === 'string') writeFileSync(path, content, { mode: 0o444 });
    else {
      mkdirSync(path, { mode: 0o755 });
      writeTree(path, content);
    }
  }
}
