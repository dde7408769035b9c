import { basename } from 'node:path';
import { MIB } from '../../contract/sizes.ts';
import type { Machine, NicSpec } from '../driver.ts';
import { threadsMax } from '../guest-agent/guest-limits.ts';
import { AGENT_LINE, guestDevice, PIPE_LINES } from './lines.ts';
import { JAIL, UMID } from './paths.ts';

export const PROGRAM = '/usr/bin/linux.uml';
/** Where the Debian package keeps the modules of each release that it brings. */
export const MODULES = '/usr/lib/uml/modules';

/** Descriptors in the process, handed down when it is made. */
export interface Descriptors {
  /** For each line that is a pipe: what it reads, what it writes. */
  readonly lines: ReadonlyMap<number, { readonly input: number; readonly output: number }>;
  /** The tap of each NIC, in order. */
  readonly taps: readonly number[];
}

/**
 * The whole disk has a size that none has (preload.c); its first bytes are a partition of the machine's size, which Linux
 * can make larger while its file system is mounted.
 */
export const GUEST_DISK = '/dev/ubda';
export const GUEST_PARTITION = 1;
export const GUEST_ROOT = `${GUEST_DISK}${GUEST_PARTITION}`;

/** As many as the preloaded object replaces when the guest restarts within its process. */
const SIZE_DIGITS = 16;

export interface DiskOptions {
  /** Bytes of the disk's file. */
  readonly size: number;
  /** Every write goes to the host's disk at once, instead of into the host's page cache. */
  readonly syncDisk?: boolean | undefined;
}

/**
 * What the program is given: its own options (linux.uml --help) and parameters of its kernel. Options of the one and the
 * other stand in one list, and the guest can read it all.
 */
export function renderCommandLine(
  machine: Machine,
  sockets: string,
  descriptors: Descriptors,
  { size, syncDisk = false }: DiskOptions,
): string[] {
  const { limits, nics } = machine;
  return [
    PROGRAM,
    `mem=${Math.floor(limits.memory / MIB)}M`,
    ...[`uml_dir=${sockets}`, `umid=${UMID}`],
    ...[`initrd=${JAIL.initramfs}`, `ubd0${syncDisk ? 's' : ''}=${JAIL.disk}`, `root=${GUEST_ROOT}`, 'rw'],
    `blkdevparts=${basename(GUEST_DISK)}:0x${size.toString(16).padStart(SIZE_DIGITS, '0')}@0(root)`,
    `hostfs=${JAIL.modules}`,
    ...['con=null', 'ssl=null', 'ssl0=fd:0,fd:1', 'console=ttyS0'],
    ...PIPE_LINES.map((line) => {
      const { input, output } = descriptors.lines.get(line) ?? { input: -1, output: -1 };
      return `ssl${line}=fd:${input},fd:${output}`;
    }),
    ...nics.map((nic, index) => renderNic(nic, index, descriptors.taps[index] ?? -1)),
    ...['quiet', 'pty.legacy_count=0', 'net.ifnames=0', 'security=apparmor'],
    `mullion.agent=${guestDevice(AGENT_LINE)}`,
    `sysctl.kernel.threads-max=${threadsMax(limits.pids, limits.cpus)}`,
  ];
}

/** A tap takes one bare frame a call: batches (vec) are for sockets. */
const renderNic = (nic: NicSpec, index: number, fd: number): string =>
  `vec${index}:transport=fd,fd=${fd},vec=0,mac=${nic.mac}`;
