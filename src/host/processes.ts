import { closeSync, readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { pidfdOpen, pidfdSendSignal, readable } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

const POLL_MS = 100;

export interface ProcessStat {
  /** One letter: R S D Z T t X I (proc(5), stat field 3). */
  readonly state: string;
  readonly parent: number;
  /** Clock ticks since boot (field 22). */
  readonly start: number;
}

/** proc(5), /proc/pid/stat; the name in the second field may hold spaces and brackets. */
export function parseProcessStat(text: string): ProcessStat | undefined {
  const [state, parent, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const start = Number(rest[17]);
  if (state === undefined || !Number.isSafeInteger(start)) return undefined;
  return { state, parent: Number(parent), start };
}

function readStat(pid: number): ProcessStat | undefined {
  try {
    return parseProcessStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ESRCH')) return undefined;
    throw failure;
  }
}

/** When this process started, in clock ticks since boot; undefined when there is none. Tells a reused pid. */
export const processStart = (pid: number): number | undefined => readStat(pid)?.start;

/** Whether the process that started then still runs; a zombie does not. */
export function isAlive(pid: number, start: number): boolean {
  const stat = readStat(pid);
  return stat !== undefined && stat.start === start && stat.state !== 'Z' && stat.state !== 'X';
}

/** A descriptor that means this very process and no later one of the same pid. */
function openProcess(pid: number, start: number): number | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  let pidfd: number;
  try {
    pidfd = pidfdOpen(pid);
  } catch (failure) {
    if (hasCode(failure, 'ESRCH', 'EINVAL')) return undefined;
    throw failure;
  }
  if (isAlive(pid, start)) return pidfd;
  closeSync(pidfd);
  return undefined;
}

/** Sends a signal, a realtime one as its number; false when the process is gone. Never hits a reused pid. */
export function signalProcess(pid: number, start: number, signal: number | NodeJS.Signals): boolean {
  const pidfd = openProcess(pid, start);
  if (pidfd === undefined) return false;
  try {
    pidfdSendSignal(pidfd, typeof signal === 'number' ? signal : constants.signals[signal]);
    return true;
  } catch (failure) {
    if (hasCode(failure, 'ESRCH')) return false;
    throw failure;
  } finally {
    closeSync(pidfd);
  }
}

interface Watch {
  readonly pidfd: number;
  readonly listener: () => void;
}
const watches = new Set<Watch>();
let timer: NodeJS.Timeout | undefined;

/**
 * Calls back once, within about 100 ms, when the process has ended; also when it had ended before. Returns the way to
 * stop watching. Watching does not keep Node alive.
 */
export function watchExit(pid: number, start: number, listener: () => void): () => void {
  const pidfd = openProcess(pid, start);
  if (pidfd === undefined) {
    const soon = setImmediate(listener);
    return () => clearImmediate(soon);
  }
  const watch = { pidfd, listener };
  watches.add(watch);
  timer ??= setInterval(pollWatches, POLL_MS).unref();
  return () => dropWatch(watch);
}

function dropWatch(watch: Watch): boolean {
  if (!watches.delete(watch)) return false;
  closeSync(watch.pidfd);
  if (watches.size === 0) {
    clearInterval(timer);
    timer = undefined;
  }
  return true;
}

/** A pidfd is readable when its process has ended (pidfd_open(2)). */
function pollWatches(): void {
  const all = [...watches];
  const ended = readable(all.map(({ pidfd }) => pidfd));
  for (const [index, watch] of all.entries()) {
    if (ended[index] === true && dropWatch(watch)) queueMicrotask(watch.listener);
  }
}

/** True once the process has ended; false when it has not within the time. */
export async function waitForExit(pid: number, start: number, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  for (let pause = 2; isAlive(pid, start); pause = Math.min(pause * 1.5, 50)) {
    const left = deadline - performance.now();
    if (left <= 0) return false;
    await sleep(Math.min(pause, left));
  }
  return true;
}

/** Processes of this host that have `argument` among their arguments (proc(5), /proc/pid/cmdline). */
export function processesWithArgument(argument: string): { readonly pid: number; readonly start: number }[] {
  return everyProcess()
    .filter((pid) => processArguments(pid).includes(argument))
    .flatMap((pid) => {
      const start = processStart(pid);
      return start === undefined ? [] : [{ pid, start }];
    });
}

/** Ids of all processes that this one can see. */
export const everyProcess = (): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

/** A process's name and arguments; none when it has ended, and of threads of the kernel. */
export function processArguments(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch (failure) {
    if (hasCode(failure, 'ENOENT', 'ESRCH')) return [];
    throw failure;
  }
}
