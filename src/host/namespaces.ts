import { openSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import { hasCode } from './system-error.ts';

const HOLDS = { mnt: 'files', net: 'network' } as const;

/** A network namespace, by a process that is in it or by a descriptor of this process. */
export type NetworkPlace = { readonly pid: number } | { readonly fd: number };

/** A descriptor of a namespace of `pid` (namespaces(7)). @throws MullionError `start_failed` when that has ended */
export function openNamespace(pid: number, kind: keyof typeof HOLDS): number {
  try {
    return openSync(`/proc/${pid}/ns/${kind}`, 'r');
  } catch (cause) {
    if (!hasCode(cause, 'ENOENT', 'ESRCH', 'EACCES')) throw cause;
    const verb = kind === 'mnt' ? 'were' : 'was';
    throw new MullionError('start_failed', `Process ${pid} ended before its ${HOLDS[kind]} ${verb} set up.`, {
      cause,
    });
  }
}
