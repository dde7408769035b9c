import { existsSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { MachineEnd } from '../driver.ts';
import type { MachinePaths } from './paths.ts';

const SIGNALLED = 128;
const WAIT_MS = 2_000;
const PAUSE_MS = 20;

/** What the exit code of the process says. A restart of the guest happens within the process. */
export function endOf(code: number, outOfMemory: boolean): MachineEnd {
  switch (code) {
    case 0:
      return { kind: 'poweroff', reason: 'the guest switched itself off' };
    case SIGNALLED + constants.signals.SIGABRT:
      return { kind: 'died', reason: "the guest's kernel panicked" };
    case SIGNALLED + constants.signals.SIGKILL:
      if (outOfMemory) return { kind: 'died', reason: 'it was killed for using more memory than its limit' };
  }
  const how = code > SIGNALLED ? `was ended by signal ${code - SIGNALLED}` : `ended with exit code ${code}`;
  return { kind: 'died', reason: `the process of User-Mode Linux ${how}` };
}

/** conmon writes the exit code shortly after the end. */
export async function waitForEnd(paths: MachinePaths, isMonitored: () => boolean): Promise<MachineEnd> {
  for (let waited = 0; waited < WAIT_MS && !existsSync(paths.exitFile) && isMonitored(); waited += PAUSE_MS) {
    await sleep(PAUSE_MS);
  }
  try {
    return endOf(Number(readFileSync(paths.exitFile, 'utf8')), existsSync(paths.oomFile));
  } catch {
    return { kind: 'died', reason: 'the process of User-Mode Linux ended, and its monitor with it' };
  }
}
