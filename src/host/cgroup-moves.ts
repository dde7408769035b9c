import { closeSync, openSync, readFileSync, write } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { CgroupLayout } from './cgroup-layout.ts';

const writeTo: (fd: number, text: string) => Promise<unknown> = promisify(write);
/** One move keeps those that come within 15 ms and more from waiting. */
const PAUSE_MS = 8;

let wanted = 0;
let moving = false;

/**
 * Until it is disposed of, processes are moved into control groups without a wait. The first move after a pause waits until no
 * processor is in the midst of a fork (cgroup_threadgroup_rwsem; percpu_down_write, kernel/locking/percpu-rwsem.c), one to
 * four ticks of the kernel's clock; a move shortly after another does not. So this process is moved to where it is, again and
 * again, by a thread that may wait: one for all who want it, as Linux before 6.8 keeps readers of /proc/self/cgroup waiting, too.
 */
export function quickMoves(layout: CgroupLayout): Disposable {
  wanted += 1;
  // Where it is refused, the wait stays where it was.
  if (!moving) keepMoving(layout).catch(() => undefined);
  let over = false;
  return {
    [Symbol.dispose]: () => {
      if (!over) wanted -= 1;
      over = true;
    },
  };
}

async function keepMoving(layout: CgroupLayout): Promise<void> {
  moving = true;
  try {
    const file = ownProcesses(layout, readFileSync('/proc/self/cgroup', 'utf8'));
    if (file === undefined || !holdsThis(file)) return;
    const fd = openSync(file, 'r+');
    try {
      while (wanted > 0) {
        await writeTo(fd, '0');
        await sleep(PAUSE_MS, undefined, { ref: false });
      }
    } finally {
      closeSync(fd);
    }
  } finally {
    moving = false;
  }
}

/** A tree that is mounted for another cgroup namespace has other groups under the same names. */
const held = new Map<string, boolean>();
function holdsThis(file: string): boolean {
  const known = held.get(file);
  if (known !== undefined) return known;
  const holds = readFileSync(file, 'utf8').split('\n').includes(String(process.pid));
  held.set(file, holds);
  return holds;
}

/** The file of the group that this process is in; `own` is what /proc/self/cgroup says (cgroups(7)). */
export function ownProcesses({ controllers, unified }: CgroupLayout, own: string): string | undefined {
  for (const line of own.trimEnd().split('\n')) {
    const [, names = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    const mount = names === '' ? unified : controllers[names.split(',')[0] ?? ''];
    // A group above the root that is mounted here has no path below it.
    if (mount !== undefined && path.startsWith('/') && !path.startsWith('/..')) {
      return join(mount, path, 'cgroup.procs');
    }
  }
  return undefined;
}
