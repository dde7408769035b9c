import { closeSync, constants, fstatSync, openSync } from 'node:fs';
import type { Window } from '../contract/streams.ts';
import { O_PATH } from './open-flags.ts';
import { hasCode } from './system-error.ts';
import { setWindow } from './terminals.ts';

/** Slaves of pseudo-terminals have the major numbers 136 to 143 (Documentation/admin-guide/devices.txt). */
const isSlave = (rdev: number): boolean => rdev >> 8 >= 136 && rdev >> 8 <= 143;

/**
 * Changes the size of the terminal that a guest's process has as standard input, output or error; false when it has none.
 * What the guest put there is looked at before it is opened, so that nothing else is ever opened.
 */
export function resizeTerminalOf(pid: number, window: Window): boolean {
  for (const fd of [0, 1, 2]) {
    try {
      if (resizeDescriptor(`/proc/${pid}/fd/${fd}`, window)) return true;
    } catch (failure) {
      if (!hasCode(failure, 'ENOENT', 'ESRCH', 'EIO', 'ENOTTY', 'ENXIO', 'EACCES')) throw failure;
    }
  }
  return false;
}

function resizeDescriptor(path: string, window: Window): boolean {
  const seen = openSync(path, O_PATH);
  try {
    const stat = fstatSync(seen);
    if (!stat.isCharacterDevice() || !isSlave(stat.rdev)) return false;
    const flags = constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK;
    const terminal = openSync(`/proc/self/fd/${seen}`, flags);
    try {
      setWindow(terminal, window);
      return true;
    } finally {
      closeSync(terminal);
    }
  } finally {
    closeSync(seen);
  }
}
