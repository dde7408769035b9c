import { join } from 'node:path';
import type { Machine } from '../driver.ts';

/** Tells a run folder of this driver's. */
export const RUN_FOLDER = 'xen';

export interface MachinePaths {
  readonly folder: string;
  /** What xl(1) is given. */
  readonly configuration: string;
  /** There once the guest may run: a domain that is paused before that was only prepared. */
  readonly started: string;
  /** There while a guest that goes on from saved memory has not been told the time. */
  readonly woken: string;
  /** There while memory is saved: a daemon that finds it was cut off in that. */
  readonly saving: string;
  readonly consoleLog: string;
  readonly initramfs: string;
  /** The guest's memory that was saved, and what it is of: without that it is unfinished. */
  readonly memory: string;
  readonly memoryHeader: string;
}

export const machinePaths = (machine: Machine): MachinePaths => {
  const folder = join(machine.runDirectory, RUN_FOLDER);
  return {
    folder,
    configuration: join(folder, 'xl.cfg'),
    started: join(folder, 'started'),
    woken: join(folder, 'woken'),
    saving: join(folder, 'saving'),
    consoleLog: join(machine.logDirectory, 'console.log'),
    initramfs: join(machine.volume, 'initramfs'),
    memory: join(machine.volume, 'memory'),
    memoryHeader: join(machine.volume, 'memory.json'),
  };
};
