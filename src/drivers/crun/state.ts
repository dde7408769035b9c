import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { programOf } from '../../host/guest-init.ts';
import { isAlive, processStart } from '../../host/processes.ts';
import type { Handle } from '../driver.ts';
import type { ContainerPaths } from './paths.ts';

/** Exit code of what SIGKILL has ended. */
const KILLED = 137;
const REASON_MS = 2_000;
const REASON_PAUSE_MS = 20;

const ProcessSchema = z.object({ pid: z.number().int(), start: z.number().int() });
const StateSchema = z.object({ init: ProcessSchema, monitor: ProcessSchema.optional() });
export type ContainerState = z.infer<typeof StateSchema>;

export const writeState = (paths: ContainerPaths, state: ContainerState): void =>
  writeFileSync(paths.state, JSON.stringify(state), { mode: 0o600 });

/** Undefined when no container was prepared to its end. */
export function readState(paths: ContainerPaths): ContainerState | undefined {
  try {
    return StateSchema.parse(JSON.parse(readFileSync(paths.state, 'utf8')));
  } catch {
    return undefined;
  }
}

export const handleOf = ({ init }: ContainerState): Handle => ({
  pid: init.pid,
  pidStart: init.start,
  data: {},
});

export const alive = (handle: Handle): boolean => isAlive(handle.pid, handle.pidStart);

/** Whether something may still be written to the console's log. */
export function isMonitored(paths: ContainerPaths): boolean {
  const monitor = readState(paths)?.monitor;
  return monitor !== undefined && isAlive(monitor.pid, monitor.start);
}

/** Kept on disk because crun would have to be asked, at a process's price for each VPS after a daemon's restart. */
export const mark = (path: string): void => writeFileSync(path, '');
export const hasMark = (path: string): boolean => existsSync(path);

/** The monitor of a container that was not prepared to its end. */
export function readMonitor(paths: ContainerPaths): { pid: number; start: number } | undefined {
  if (!existsSync(paths.monitorPidFile)) return undefined;
  const pid = Number(readFileSync(paths.monitorPidFile, 'utf8'));
  const start = processStart(pid);
  return start === undefined || programOf(pid) !== 'conmon' ? undefined : { pid, start };
}

/** Why it ended, in words; undefined until conmon has written the exit code. */
export function exitReason(paths: ContainerPaths): string | undefined {
  try {
    const code = Number(readFileSync(paths.exitFile, 'utf8'));
    if (code === KILLED && existsSync(paths.oomFile)) return 'it was killed for using all of its memory';
    return code > 128 ? `it was ended by signal ${code - 128}` : `it ended with exit code ${code}`;
  } catch {
    return undefined;
  }
}

/** conmon writes the exit code shortly after the end. */
export async function waitForReason(paths: ContainerPaths): Promise<string> {
  for (let waited = 0; waited < REASON_MS; waited += REASON_PAUSE_MS) {
    const reason = exitReason(paths);
    if (reason !== undefined) return reason;
    if (!isMonitored(paths)) break;
    await sleep(REASON_PAUSE_MS);
  }
  return exitReason(paths) ?? 'it ended';
}
