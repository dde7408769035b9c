import { lstatSync, mkdirSync, rmSync } from 'node:fs';
import { MullionError } from '../../contract/errors.ts';
import { MS, mount, unmount } from '../../host/mounts.ts';

/**
 * A file of a volume that a jail is to see, by its path. What is no plain file, such as a link, would let a guest of an
 * earlier day name a file of the host. @throws MullionError `host_unfit`
 */
export function plainFile(path: string): string {
  if (lstatSync(path).isFile()) return path;
  throw new MullionError('host_unfit', `${path} is not a plain file.`, {
    remedy: 'Restore the VPS from a snapshot or a backup',
  });
}

/** Sockets of a machine, and what it makes beside them. */
const MOST_FILES = 300;

/**
 * A folder in which the jail's own user makes its sockets. It is a file system of its own, so that nothing that is written
 * there can fill the host's.
 * @param size bytes for what is no socket
 */
export function makeSocketFolder(path: string, owner: number, size: number): void {
  mkdirSync(path, { mode: 0o700 });
  const options = [`uid=${owner}`, `gid=${owner}`, 'mode=700', `size=${size}`, `nr_inodes=${MOST_FILES}`];
  mount('tmpfs', path, 'tmpfs', MS.nosuid | MS.nodev | MS.noexec, options.join(','));
}

/** Nothing there is fine. */
export function removeSocketFolder(path: string): void {
  unmount(path);
  rmSync(path, { recursive: true, force: true });
}
