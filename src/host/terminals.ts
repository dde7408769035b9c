import { closeSync, constants } from 'node:fs';
import type { Window } from '../contract/streams.ts';
import { checked, ioctl, libc, O_CLOEXEC } from './syscalls/libc.ts';
import { SystemError } from './system-error.ts';

const TIOCSWINSZ = 0x5414;

export interface Terminal {
  /** Closes on exec; its owner closes it. */
  readonly master: number;
  readonly slavePath: string;
}

/** A new pseudo-terminal (pty(7)). @throws SystemError */
export function openTerminal(window: Window): Terminal {
  const master = checked(
    'posix_openpt',
    libc().posix_openpt(constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC),
  );
  try {
    checked('grantpt', libc().grantpt(master));
    checked('unlockpt', libc().unlockpt(master));
    const name = Buffer.alloc(128);
    const failure = libc().ptsname_r(master, name, name.length);
    if (failure !== 0) throw new SystemError('ptsname_r', failure);
    setWindow(master, window);
    return { master, slavePath: name.toString('utf8', 0, name.indexOf(0)) };
  } catch (failure) {
    closeSync(master);
    throw failure;
  }
}

/** The terminal's size; its foreground processes get SIGWINCH. @throws SystemError */
export function setWindow(master: number, window: Window): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(window.rows, 0);
  size.writeUInt16LE(window.columns, 2);
  ioctl(master, 'TIOCSWINSZ', TIOCSWINSZ, size);
}
