import { closeSync, constants, openSync } from 'node:fs';
import { checked, libc } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;

export interface Lock {
  /** Safe to call twice. */
  release(): void;
}

/**
 * The lock of a file, which is made when it is not there; undefined when another holds it. It goes with the process,
 * however that ends (flock(2)).
 */
export function lockFile(path: string): Lock | undefined {
  const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  try {
    checked('flock', libc().flock(fd, LOCK_EX | LOCK_NB), path);
  } catch (failure) {
    closeSync(fd);
    if (hasCode(failure, 'EWOULDBLOCK', 'EAGAIN')) return undefined;
    throw failure;
  }
  let held = true;
  return {
    release: () => {
      if (held) closeSync(fd);
      held = false;
    },
  };
}
