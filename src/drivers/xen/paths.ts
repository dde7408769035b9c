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
  readonly consoleLog: string;
  readonly initramfs: string;
}

export const machinePaths = (machine: Machine): MachinePaths => {
  const folder = join(machine.runDirectory, RUN_FOLDER);
  return {
    folder,
    configuration: join(folder, 'xl.cfg'),
    started: join(folder, 'started'),
    consoleLog: join(machine.logDirectory, 'console.log'),
    initramfs: join(machine.volume, 'initramfs'),
  };
};
