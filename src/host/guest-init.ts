import { readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { hasCode } from './system-error.ts';

/** File name of the program that a process runs; undefined when it has ended. */
export function programOf(pid: number): string | undefined {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, ''));
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ESRCH')) return undefined;
    throw failure;
  }
}

/**
 * Sends a signal to every process of the group that this process is in (kill(2)); false when it has ended.
 * A command and what it has started share a group, as in a shell.
 */
export function signalGroupOf(pid: number, signal: NodeJS.Signals): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const group = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
    if (!Number.isSafeInteger(group) || group <= 1) return false;
    return process.kill(-group, signal);
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ESRCH')) return false;
    throw failure;
  }
}

/** The most files that a process started by this one may have open: what RLIMIT_NOFILE allows at most (proc(5), limits). */
export function openFilesLimit(): number {
  const line = /^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
  const limit = Number(line?.[1]);
  return Number.isSafeInteger(limit) ? limit : 1_048_576;
}
