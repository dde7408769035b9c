import { closeSync, openSync } from 'node:fs';
import { MS } from './mounts.ts';
import { openNamespace } from './namespaces.ts';
import { checked, libc } from './syscalls/libc.ts';

const CLONE_FS = 0x200;
const CLONE_NEWNS = 0x20000;

/**
 * Runs `work` with this thread in the mount namespace of `pid` (setns(2)). It must make system calls alone: no wait, no
 * program, no module that is not loaded yet, as every path in there is the guest's.
 */
export function withinMounts<T>(pid: number, work: () => T): T {
  const own = openSync('/proc/thread-self/ns/mnt', 'r');
  const root = openSync('/', 'r');
  const folder = openSync('.', 'r');
  try {
    const other = openNamespace(pid, 'mnt');
    try {
      // Threads share root and working directory, and none that does may change its namespace.
      checked('unshare', libc().unshare(CLONE_FS));
      checked('setns', libc().setns(other, CLONE_NEWNS), `mounts of process ${pid}`);
    } finally {
      closeSync(other);
    }
    try {
      return work();
    } finally {
      comeBack(own, root, folder);
    }
  } finally {
    for (const fd of [own, root, folder]) closeSync(fd);
  }
}

/**
 * A mount namespace as this thread's own is now, in which `file` is empty, by descriptor. What is mounted outside later does not
 * show in it; what is unmounted outside goes in it, too.
 */
export function mountsWithout(file: string): number {
  const own = openSync('/proc/thread-self/ns/mnt', 'r');
  const root = openSync('/', 'r');
  const folder = openSync('.', 'r');
  try {
    checked('unshare', libc().unshare(CLONE_NEWNS), 'mounts');
    try {
      const { mount } = libc();
      checked('mount', mount('none', '/', null, MS.rec | MS.slave, null), '/');
      checked('mount', mount('/dev/null', file, null, MS.bind, null), file);
      return openSync('/proc/thread-self/ns/mnt', 'r');
    } finally {
      comeBack(own, root, folder);
    }
  } finally {
    for (const fd of [own, root, folder]) closeSync(fd);
  }
}

/** A daemon that is lost among a guest's files must not go on. */
function comeBack(own: number, root: number, folder: number): void {
  const { setns, fchdir, chroot } = libc();
  const back =
    setns(own, CLONE_NEWNS) === 0 && fchdir(root) === 0 && chroot('.') === 0 && fchdir(folder) === 0;
  if (!back) process.abort();
}
