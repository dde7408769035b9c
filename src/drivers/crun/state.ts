import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { programOf } from '../../host/guest-init.ts';
import { isAlive, processStart } from '../../host/processes.ts';
import type { Handle, MachineEnd } from '../driver.ts';
import type { ContainerPaths } from './paths.ts';

/** Exit code of what a signal ended, less the signal's number. */
const SIGNALLED = 128;
const KILLED = SIGNALLED + constants.signals.SIGKILL;
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

/** How it ended; undefined until conmon has written the exit code. */
export function exitOf(paths: ContainerPaths): MachineEnd | undefined {
  try {
    return endOf(Number(readFileSync(paths.exitFile, 'utf8')), existsSync(paths.oomFile));
  } catch {
    return undefined;
  }
}

/**
 * What the exit code of a first program says. The kernel ends the one of a guest that calls reboot(2) by a signal: SIGHUP
 * for a restart, SIGINT for halting or switching off. Nothing within the guest can send it either of them otherwise.
 */
export function endOf(code: number, outOfMemory: boolean): MachineEnd {
  switch (code) {
    case 0:
    case SIGNALLED + constants.signals.SIGINT:
      return { kind: 'poweroff', reason: 'the guest switched itself off' };
    case SIGNALLED + constants.signals.SIGHUP:
      return { kind: 'reboot', reason: 'the guest restarted itself' };
    case KILLED:
      if (outOfMemory) return { kind: 'died', reason: 'it was killed for using all of its memory' };
  }
  const how = code > SIGNALLED ? `was ended by signal ${code - SIGNALLED}` : `ended with exit code ${code}`;
  return { kind: 'died', reason: `its first program ${how}` };
}

/** conmon writes the exit code shortly after the end. */
export async function waitForEnd(paths: ContainerPaths): Promise<MachineEnd> {
  for (let waited = 0; waited < REASON_MS; waited += REASON_PAUSE_MS) {
    const end = exitOf(paths);
    if (end !== undefined) return end;
    if (!isMonitored(paths)) break;
    await sleep(REASON_PAUSE_MS);
  }
  return exitOf(paths) ?? { kind: 'died', reason: 'it ended, and its monitor with it' };
}
