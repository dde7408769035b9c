import { constants } from 'node:os';
import { MullionError } from '../../contract/errors.ts';
import type { JailResult } from '../../host/jail/jails.ts';

/** Signals that come from outside of a program; those of its own faults are what its input made of it. */
const FROM_OUTSIDE = ['SIGHUP', 'SIGINT', 'SIGKILL', 'SIGTERM'] as const;

/**
 * No image is to blame for a program that the host has not, or that somebody else ended: its code is 128 and the
 * signal, or below 0 when the jail itself was struck. @throws MullionError `host_unfit`, `command_failed`
 */
export function requireItsOwnEnd(program: string, { code, stderr }: Omit<JailResult, 'stdout'>): void {
  // crun(1) says so.
  if (code !== 0 && /executable file .* not found/.test(stderr)) {
    throw new MullionError('host_unfit', `The program ${program} is not installed.`, {
      remedy: 'Run: mullion quickstart, which installs what is missing',
    });
  }
  const name = FROM_OUTSIDE.find((one) => code === 128 + constants.signals[one]);
  if (name === undefined && code >= 0) return;
  throw new MullionError(
    'command_failed',
    `${program} was ended${name === undefined ? '' : ` by ${name}`} before its work was done.`,
    { remedy: 'Try again; when it happens again, look in the log of the kernel whether memory ran out' },
  );
}
