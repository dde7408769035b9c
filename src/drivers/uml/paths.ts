import { join } from 'node:path';
import type { Machine } from '../driver.ts';

/** Where User-Mode Linux finds its things inside its jail. */
export const JAIL = {
  volume: '/volume',
  disk: '/volume/disk.raw',
  initramfs: '/volume/initramfs',
  modules: '/modules',
  memory: '/memory',
  preload: '/preload.so',
} as const;

/** Tells a run folder of this driver's. */
export const BUNDLE = 'uml-jail';
/** Its name for itself: a folder with the management socket. */
export const UMID = 'vm';

const PREFIX = 'uml-';
export const jailId = (machine: string): string => `${PREFIX}${machine}`;
export const machineOfJail = (jail: string): string | undefined =>
  jail.startsWith(PREFIX) ? jail.slice(PREFIX.length) : undefined;

/** Every path of a machine, made here alone. */
export function machinePaths(machine: Machine) {
  const bundle = join(machine.runDirectory, BUNDLE);
  // At the same place in the jail: an answer on a datagram socket goes to the path that its asker is bound to.
  const sockets = join(machine.runDirectory, 's');
  return {
    bundle,
    sockets,
    config: join(bundle, 'config.json'),
    root: join(bundle, 'rootfs'),
    pidFile: join(bundle, 'init.pid'),
    monitorPidFile: join(bundle, 'monitor.pid'),
    exitDirectory: join(bundle, 'codes'),
    exitFile: join(bundle, 'codes', jailId(machine.id)),
    /** Sockets, pipes and files that conmon makes, with the names that it gives them. */
    oomFile: join(bundle, 'oom'),
    attach: join(bundle, 'attach'),
    control: join(bundle, 'ctl'),
    /** Marks of what was asked of it: made before and after its start, and before it is paused. */
    starting: join(bundle, 'starting'),
    started: join(bundle, 'started'),
    pausing: join(bundle, 'pausing'),
    /** The host's ends of its serial lines, out of the jail's reach. */
    lines: join(bundle, 'lines'),
    preload: join(bundle, 'preload.so'),
    /** Of the kernel's name. */
    kernel: join(sockets, UMID),
    management: join(sockets, UMID, 'mconsole'),
    /** There while a write to the disk waits for space (preload.c). */
    full: join(sockets, 'full'),
    log: join(machine.logDirectory, 'console.log'),
    initramfs: join(machine.volume, 'initramfs'),
  } as const;
}
export type MachinePaths = ReturnType<typeof machinePaths>;

/** What the host writes to a serial line, and what it reads from it. */
export const linePipes = (paths: MachinePaths, line: number): { input: string; output: string } => ({
  input: join(paths.lines, `${line}.in`),
  output: join(paths.lines, `${line}.out`),
});
