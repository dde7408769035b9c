import { existsSync, watch } from 'node:fs';
import { basename } from 'node:path';
import type { Machine, StallAbility } from '../driver.ts';
import { alive } from './machines.ts';
import { machinePaths } from './paths.ts';

/** What is preloaded waits where there is no space, says so by a file, and tries again by itself (preload.c). */
export const STALL: StallAbility = {
  // One that is held still by somebody waits for that first.
  isStalled: async (machine, handle) => {
    const { full, pausing } = machinePaths(machine);
    return alive(handle) && existsSync(full) && !existsSync(pausing);
  },
  onStall: (machine, _handle, listener) => watchFull(machine, listener),
  retry: async () => undefined,
};

/** Nothing is called when the machine is gone, or goes. */
function watchFull(machine: Machine, listener: () => void): () => void {
  const { sockets, full } = machinePaths(machine);
  if (!existsSync(sockets)) return () => undefined;
  const watcher = watch(sockets, { persistent: false }, (_event, name) => {
    if (name === basename(full)) listener();
  });
  watcher.on('error', () => watcher.close());
  return () => watcher.close();
}
