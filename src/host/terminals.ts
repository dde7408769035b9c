import { closeSync, constants } from 'node:fs';
import type { Window } from '../contract/streams.ts';
import { checked, ioctl, libc, O_CLOEXEC } from './syscalls/libc.ts';
import { SystemError } from './system-error.ts';

const TIOCSWINSZ = 0x5414;
/** asm-generic/termbits.h: struct termios begins with the input, output, control and local flags. */
const TCGETS = 0x5401;
const TCSETS = 0x5402;
const TERMIOS_SIZE = 64;
/** IGNBRK, BRKINT, PARMRK, ISTRIP, INLCR, IGNCR, ICRNL, IXON. */
const RAW_INPUT = 0o1 | 0o2 | 0o10 | 0o40 | 0o100 | 0o200 | 0o400 | 0o2000;
const OPOST = 0o1;
const CSIZE_AND_PARENB = 0o60 | 0o400;
const CS8 = 0o60;
/** ISIG, ICANON, ECHO, ECHONL, IEXTEN. */
const RAW_LOCAL = 0o1 | 0o2 | 0o10 | 0o100 | 0o100000;

export interface Terminal {
  /** Closes on exec; its owner closes it. */
  readonly master: number;
  readonly slavePath: string;
}

/** A new pseudo-terminal (pty(7)) that hands on every byte as it is. @throws SystemError */
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
    setRaw(master);
    setWindow(master, window);
    return { master, slavePath: name.toString('utf8', 0, name.indexOf(0)) };
  } catch (failure) {
    closeSync(master);
    throw failure;
  }
}

/**
 * Raw mode as of cfmakeraw(3): what is written before the reader sets a mode of its own would else be edited, and an end
 * of input become a zero byte. The master's ioctls act on its slave.
 */
function setRaw(master: number): void {
  const settings = Buffer.alloc(TERMIOS_SIZE);
  ioctl(master, 'TCGETS', TCGETS, settings);
  const [input, output, control, local] = [0, 4, 8, 12];
  settings.writeUInt32LE((settings.readUInt32LE(input) & ~RAW_INPUT) >>> 0, input);
  settings.writeUInt32LE((settings.readUInt32LE(output) & ~OPOST) >>> 0, output);
  settings.writeUInt32LE(((settings.readUInt32LE(control) & ~CSIZE_AND_PARENB) | CS8) >>> 0, control);
  settings.writeUInt32LE((settings.readUInt32LE(local) & ~RAW_LOCAL) >>> 0, local);
  ioctl(master, 'TCSETS', TCSETS, settings);
}

/** The terminal's size; its foreground processes get SIGWINCH. @throws SystemError */
export function setWindow(master: number, window: Window): void {
  const size = Buffer.alloc(8);
  size.writeUInt16LE(window.rows, 0);
  size.writeUInt16LE(window.columns, 2);
  ioctl(master, 'TIOCSWINSZ', TIOCSWINSZ, size);
}
