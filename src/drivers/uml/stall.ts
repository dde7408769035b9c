import { existsSync, lstatSync } from 'node:fs';
import type { StallAbility } from '../driver.ts';
import { EntryWatch } from './entry-watch.ts';
import { alive } from './machines.ts';
import { machinePaths } from './paths.ts';

/** What is preloaded waits where there is no space, says so by a file, and tries again by itself (preload.c). */
export const STALL: StallAbility = {
  // One that is held still by somebody waits for that first. What the guest makes of the file is followed nowhere.
  isStalled: async (machine, handle) => {
    const { full, pausing } = machinePaths(machine);
    const isFull = lstatSync(full, { throwIfNoEntry: false }) !== undefined;
    return isFull && !existsSync(pausing) && alive(handle);
  },
  onStall: (machine, _handle, listener) => {
    const { full, pausing } = machinePaths(machine);
    const watches = [full, pausing].map((path) => new EntryWatch(path, listener));
    return () => {
      for (const watch of watches) watch.close();
    };
  },
  retry: async () => undefined,
};
