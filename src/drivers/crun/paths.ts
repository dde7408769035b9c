import { join } from 'node:path';
import type { Machine } from '../driver.ts';

/** The folder in a VPS's run folder that shows that this driver made it. */
export const BUNDLE = 'container';
const PREFIX = 'os-';
export const containerId = (machine: string): string => `${PREFIX}${machine}`;
export const machineOfContainer = (container: string): string | undefined =>
  container.startsWith(PREFIX) ? container.slice(PREFIX.length) : undefined;

/** Every path of a container, made here alone. */
export function containerPaths(machine: Machine) {
  const bundle = join(machine.runDirectory, BUNDLE);
  return {
    bundle,
    config: join(bundle, 'config.json'),
    root: join(bundle, 'rootfs'),
    lower: join(bundle, 'lower'),
    volume: join(bundle, 'volume'),
    /** Where the container's own /proc and /sys are put together before it begins. */
    stage: join(bundle, 'stage'),
    /** Where they are put together anew while it runs. */
    view: join(bundle, 'view'),
    pidFile: join(bundle, 'init.pid'),
    monitorPidFile: join(bundle, 'monitor.pid'),
    exitDirectory: join(bundle, 'codes'),
    exitFile: join(bundle, 'codes', containerId(machine.id)),
    /** Sockets, pipes and files that conmon makes, with the names that it gives them. */
    oomFile: join(bundle, 'oom'),
    attach: join(bundle, 'attach'),
    control: join(bundle, 'ctl'),
    /** What this driver knows of the running container. */
    state: join(bundle, 'state.json'),
    /** Marks: made before and after crun was told to start it. */
    starting: join(bundle, 'starting'),
    started: join(bundle, 'started'),
    execDirectory: join(bundle, 'exec'),
    log: join(machine.logDirectory, 'console.log'),
    upper: join(machine.volume, 'upper'),
    work: join(machine.volume, 'work'),
  } as const;
}
export type ContainerPaths = ReturnType<typeof containerPaths>;
