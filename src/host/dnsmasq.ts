import { readFileSync, readlinkSync } from 'node:fs';
import { MullionError } from '../contract/errors.ts';
import {
  everyProcess,
  isAlive,
  processArguments,
  processStart,
  signalProcess,
  waitForExit,
} from './processes.ts';
import type { Runner } from './run.ts';

/** Our servers see their folder here, in a mount namespace of their own, so its parents may stay closed to them. */
const FOLDER_INSIDE = '/mnt';
const ENTER_FOLDER = 'mount --bind "$1" "$2" && shift 2 && exec "$@"';
const STOP_PATIENCE_MS = 2_000;
const SHELL_NOT_FOUND = 127;

export interface DnsmasqServer {
  readonly pid: number;
  /** Clock ticks since boot (proc(5), stat field 22): tells a reused pid. */
  readonly pidStart: number;
}

/** Path of a file of the server's folder as the server sees it. */
export const insideFolder = (name: string): string => `${FOLDER_INSIDE}/${name}`;

/**
 * Starts dnsmasq(8) as a background process that outlives us, and waits until it serves.
 * @param folder is what the server sees at `insideFolder`
 * @throws MullionError `host_unfit` when it is not installed, `command_failed` with its own words.
 */
export async function startDnsmasq(run: Runner, folder: string, options: readonly string[]): Promise<void> {
  const shell = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', ENTER_FOLDER, 'sh'];
  const result = await run([...shell, folder, FOLDER_INSIDE, 'dnsmasq', ...options], {
    okCodes: [0, SHELL_NOT_FOUND],
  });
  if (result.code === 0) return;
  throw new MullionError('host_unfit', 'The program dnsmasq is not installed: no names, no DHCP.', {
    remedy: 'Install the Debian package dnsmasq-base, or run: mullion quickstart',
  });
}

/** An account that owns nothing, for servers that read only their own folder. */
export function unprivilegedAccount(): string {
  return /^dnsmasq:/m.test(readFileSync('/etc/passwd', 'utf8')) ? 'dnsmasq' : 'nobody';
}

type Match = (options: readonly string[]) => boolean;

/**
 * Finds running servers by their arguments. Only processes of our own network namespace count: what a guest calls its
 * processes cannot deceive us.
 * @param match is given the arguments after the program's name
 */
export const findDnsmasq = (match: Match): DnsmasqServer[] =>
  everyProcess().flatMap((pid) => identify(pid, match) ?? []);

/** The server that wrote this pid file, if it runs and its arguments match. */
export function dnsmasqOfPidFile(path: string, match: Match): DnsmasqServer | undefined {
  const pid = Number(attempt(() => readFileSync(path, 'utf8')));
  return Number.isSafeInteger(pid) && pid > 0 ? identify(pid, match) : undefined;
}

function identify(pid: number, match: Match): DnsmasqServer | undefined {
  const pidStart = attempt(() => processStart(pid));
  const [program, ...options] = attempt(() => processArguments(pid)) ?? [];
  if (pidStart === undefined || program !== 'dnsmasq' || !match(options)) return undefined;
  const namespace = attempt(() => readlinkSync(`/proc/${pid}/ns/net`));
  return namespace === readlinkSync('/proc/self/ns/net') ? { pid, pidStart } : undefined;
}

export const isDnsmasqRunning = ({ pid, pidStart }: DnsmasqServer): boolean => isAlive(pid, pidStart);

/** Makes the server forget what it cached and read removed DHCP reservations again (dnsmasq(8), SIGHUP). */
export function reloadDnsmasq({ pid, pidStart }: DnsmasqServer): void {
  signalProcess(pid, pidStart, 'SIGHUP');
}

/** Ends a server and waits until it is gone; kills it when it takes longer than 2 s. */
export async function stopDnsmasq({ pid, pidStart }: DnsmasqServer): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!signalProcess(pid, pidStart, signal)) return;
    if (await waitForExit(pid, pidStart, STOP_PATIENCE_MS)) return;
  }
}

/** Processes come and go while they are read. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
