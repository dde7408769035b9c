import { MullionError } from '../../contract/errors.ts';
import { processesWithArgument, signalProcess, waitForExit } from '../../host/processes.ts';

export const KILLED_MS = 10_000;

/** Ends whoever is making a container of this bundle: each of them names it, and so does what it forks. */
export async function endMakers(bundle: string): Promise<void> {
  for (;;) {
    const makers = processesWithArgument(bundle);
    if (makers.length === 0) return;
    for (const { pid, start } of makers) signalProcess(pid, start, 'SIGKILL');
    for (const { pid, start } of makers) {
      if (await waitForExit(pid, start, KILLED_MS)) continue;
      throw new MullionError('timeout', `The process ${pid}, which makes a container, cannot be killed.`);
    }
  }
}
