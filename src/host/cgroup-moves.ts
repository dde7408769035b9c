import { readFileSync, writeFile } from 'node:fs';
import { join } from 'node:path';
import type { CgroupLayout } from './cgroup-layout.ts';

/** One move keeps those that come within 15 ms and more from waiting. */
const PAUSE_MS = 8;

/**
 * Until it is disposed of, processes are moved into control groups without a wait. The first move after a pause waits until no
 * processor is in the midst of a fork (cgroup_threadgroup_rwsem; percpu_down_write, kernel/locking/percpu-rwsem.c), one to
 * four ticks of the kernel's clock; a move shortly after another does not. So this process is moved to where it is, again and
 * again, by threads that may wait.
 */
export function quickMoves(layout: CgroupLayout): Disposable {
  const move = (): void => {
    const file = ownProcesses(layout, readFileSync('/proc/self/cgroup', 'utf8'));
    // Where that is refused the wait stays where it was.
    if (file !== undefined) writeFile(file, '0', { flag: 'r+' }, () => undefined);
  };
  move();
  const timer = setInterval(move, PAUSE_MS).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** The file by which a process gets to where this one is; `own` is what /proc/self/cgroup says (cgroups(7)). */
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
