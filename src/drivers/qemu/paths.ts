import { join } from 'node:path';
import type { Machine } from '../driver.ts';

/** Where QEMU finds its things inside its jail. */
export const JAIL = {
  sockets: '/run/sock',
  consoleLog: '/run/console.log',
  volume: '/volume',
  kernel: '/image/vmlinuz',
  disk: '/volume/disk.raw',
  initramfs: '/volume/initramfs',
  iso: '/image/medium.iso',
  uefiVariables: '/volume/uefi-variables.fd',
} as const;

/** The sockets that QEMU makes, by name, in one folder that only it and root can enter. */
export const SOCKET = { monitor: 'qmp', agent: 'agent', console: 'console', display: 'vnc' } as const;

/** Tells a run folder of this driver's. */
export const BUNDLE = 'qemu-jail';

export interface MachinePaths {
  readonly sockets: string;
  readonly bundle: string;
  readonly root: string;
  readonly consoleLog: string;
  readonly qemuLog: string;
  readonly initramfs: string;
  /** What UEFI remembers of one start at the next. */
  readonly uefiVariables: string;
}

export const machinePaths = (machine: Machine): MachinePaths => ({
  sockets: join(machine.runDirectory, 'sock'),
  bundle: join(machine.runDirectory, BUNDLE),
  root: join(machine.runDirectory, BUNDLE, 'rootfs'),
  consoleLog: join(machine.logDirectory, 'console.log'),
  qemuLog: join(machine.logDirectory, 'qemu.log'),
  initramfs: join(machine.volume, 'initramfs'),
  uefiVariables: join(machine.volume, 'uefi-variables.fd'),
});
