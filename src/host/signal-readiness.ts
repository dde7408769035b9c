import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

/**
 * Whether a process would get this signal: it has a handler for it, or reads it when it suits it. What the first process
 * of a namespace has neither of, the kernel throws away (pid_namespaces(7); proc(5), SigCgt and SigBlk).
 */
export function listensFor(pid: number, signal: number | NodeJS.Signals): boolean {
  try {
    const number = typeof signal === 'number' ? signal : constants.signals[signal];
    return isListened(readFileSync(`/proc/${pid}/status`, 'latin1'), number);
  } catch {
    return false;
  }
}

/** @param status content of /proc/PID/status */
export function isListened(status: string, signal: number): boolean {
  const bit = 1n << BigInt(signal - 1);
  return ['SigBlk', 'SigCgt'].some((name) => {
    const mask = new RegExp(`^${name}:\\t([0-9a-f]+)$`, 'm').exec(status)?.[1];
    return mask !== undefined && (BigInt(`0x${mask}`) & bit) !== 0n;
  });
}
