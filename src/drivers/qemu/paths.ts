import { join } from 'node:path';
import type { Machine } from '../driver.ts';

/** Where QEMU finds its things inside its jail. */
export const JAIL = {
  sockets: '/run/sock',
  handover: '/run/handover',
  consoleLog: '/run/console.log',
  volume: '/volume',
  kernel: '/image/vmlinuz',
  disk: '/volume/disk.raw',
  initramfs: '/volume/initramfs',
  iso: '/image/medium.iso',
  uefiVariables: '/volume/uefi-variables.fd',
  ram: '/volume/memory.ram',
} as const;

/** The sockets that QEMU makes, by name, in one folder that only it and root can enter. */
export const SOCKET = {
  monitor: 'qmp',
  agent: 'agent',
  console: 'console',
  display: 'vnc',
  incoming: 'incoming',
  /** The daemon's, in a folder of its own. */
  memory: 'memory',
} as const;

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
  /** Where the daemon listens for what QEMU has to hand over; QEMU may not write there. */
  readonly handover: string;
  readonly memory: string;
  /** A template's memory as its guest sees it. */
  readonly ram: string;
  /** Exists from the preparation of a machine that is to go on from saved memory until it does. */
  readonly asleep: string;
  /** Exists until the clock of such a machine has been put right. */
  readonly clock: string;
  /** Exists while QEMU translates each instruction alone. */
  readonly singly: string;
}

export const machinePaths = (machine: Machine): MachinePaths => ({
  sockets: join(machine.runDirectory, 'sock'),
  bundle: join(machine.runDirectory, BUNDLE),
  root: join(machine.runDirectory, BUNDLE, 'rootfs'),
  consoleLog: join(machine.logDirectory, 'console.log'),
  qemuLog: join(machine.logDirectory, 'qemu.log'),
  initramfs: join(machine.volume, 'initramfs'),
  uefiVariables: join(machine.volume, 'uefi-variables.fd'),
  handover: join(machine.runDirectory, BUNDLE, 'handover'),
  memory: join(machine.volume, 'memory'),
  ram: join(machine.volume, 'memory.ram'),
  asleep: join(machine.runDirectory, BUNDLE, 'asleep'),
  clock: join(machine.runDirectory, BUNDLE, 'clock'),
  singly: join(machine.runDirectory, BUNDLE, 'singly'),
});
