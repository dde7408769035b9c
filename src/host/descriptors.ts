import { closeSync } from 'node:fs';
import { checked, libc, O_CLOEXEC } from './syscalls/libc.ts';

/** By which other programs of the host find what a descriptor of this process leads to, as long as it is open. */
export const descriptorPath = (fd: number): string => `/proc/${process.pid}/fd/${fd}`;

/** Puts an open file in the place of another descriptor, which is closed by that (dup3(2)). @throws SystemError */
export function moveFd(fd: number, place: number): void {
  try {
    checked('dup3', libc().dup3(fd, place, O_CLOEXEC));
  } finally {
    closeSync(fd);
  }
}
