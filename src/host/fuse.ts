import { existsSync, readFileSync, writeFileSync } from 'node:fs';

/**
 * Cuts the connection of the FUSE file system at `folder`: whoever waits for it gets an error. The connection's number is
 * the minor number of its device, from mountinfo: stat(2) would wait for a server that stands still.
 */
export function cutFuse(folder: string): void {
  const line = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .findLast((candidate) => candidate.split(' ')[4] === folder);
  const minor = line?.split(' ')[2]?.split(':')[1];
  const abort = `/sys/fs/fuse/connections/${minor}/abort`;
  if (minor !== undefined && existsSync(abort)) writeFileSync(abort, '1');
}

/** Whether this kernel offers FUSE. */
export const hasFuse = (): boolean => existsSync('/dev/fuse');
