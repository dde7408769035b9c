import { lstatSync } from 'node:fs';
import { join } from 'node:path';

/** First programs, in the order in which the kernel and Debian look for one. */
const CANDIDATES = [
  '/sbin/init',
  '/usr/lib/systemd/systemd',
  '/lib/systemd/systemd',
  '/etc/init',
  '/bin/init',
];
/** A real-time signal: SIGRTMIN is 34 in the C library, and systemd halts at SIGRTMIN+3 (systemd(1), "Signals"). */
const SIGRTMIN_3 = 37;

/** The first program of a tree that is there, be it a link to somewhere. */
export const findInit = (trees: readonly string[]): string | undefined =>
  CANDIDATES.find((path) =>
    trees.some((tree) => lstatSync(join(tree, path), { throwIfNoEntry: false }) !== undefined),
  );

export const isSystemd = (program: string | undefined): boolean => program === 'systemd';

/** The signal at which a first program of this name shuts its system down. */
export function shutdownSignal(program: string | undefined): number | NodeJS.Signals {
  switch (program) {
    case 'systemd':
      return SIGRTMIN_3;
    case 'busybox':
      return 'SIGUSR2';
    case 'init':
    case 'upstart':
      return 'SIGPWR';
    default:
      return 'SIGTERM';
  }
}
