import { MIB } from '../../contract/sizes.ts';
import type { Machine } from '../driver.ts';
import { processors, threadsMax } from '../guest-agent/guest-limits.ts';

/** PV guests run on any Xen host; PVH ones are faster, where the processor lets the hypervisor run them. */
export type GuestType = 'pv' | 'pvh';

/** The guest's name for its disk. */
export const GUEST_DISK = '/dev/xvda';
/** Its number there (Xen, docs/man/xen-vbd-interface.7). */
export const GUEST_DISK_NUMBER = 202 << 8;
/** How far memory may grow while a guest runs; it pays for the room with a little memory of its own. */
const MEMORY_GROWTH = 4;
/** The same for processors: a guest starts them all, and then lays those aside that it does not have yet. */
const CPU_GROWTH = 2;

export interface ConfigurationParts {
  readonly type: GuestType;
  readonly name: string;
  readonly uuid: string;
  readonly vmlinuz: string;
  readonly initramfs: string;
  /** The loop device of the disk. */
  readonly disk: string;
  /** Processors of the hypervisor. */
  readonly hostCpus: number;
}

/** Parameters of the guest's kernel (Linux, Documentation/admin-guide/kernel-parameters). */
export const kernelParameters = (machine: Machine): string =>
  [
    'console=hvc0',
    `root=${GUEST_DISK}`,
    'rw',
    'quiet',
    'panic=10',
    'net.ifnames=0',
    `sysctl.kernel.threads-max=${threadsMax(machine.limits.pids, machine.limits.cpus)}`,
  ].join(' ');

export const mebibytes = (bytes: number): number => Math.floor(bytes / MIB);

/** Processors that a domain has room for while it runs. */
export const mostProcessors = (cpus: number, hostCpus: number): number =>
  Math.max(cpus, Math.min(hostCpus, cpus * CPU_GROWTH));

/** Percent of one processor that a domain may use (xl.cfg(5), cap). */
export const cpuCap = (cpus: number): number => Math.max(1, Math.round(cpus * 100));

/**
 * The domain's configuration (xl.cfg(5)). Its ends are the driver's to see to: a domain that ended stays, without its
 * processors, until it is destroyed. Its disk and its links are joined by the driver too, so no script of Xen's is run.
 */
export function renderConfiguration(machine: Machine, parts: ConfigurationParts): string {
  const { limits } = machine;
  const cpus = processors(limits.cpus);
  const vifs = machine.nics.map((nic) => text(`mac=${nic.mac},script=/bin/true`));
  return [
    `name = ${text(parts.name)}`,
    `uuid = ${text(parts.uuid)}`,
    `type = ${text(parts.type)}`,
    `kernel = ${text(parts.vmlinuz)}`,
    `ramdisk = ${text(parts.initramfs)}`,
    `cmdline = ${text(kernelParameters(machine))}`,
    `memory = ${mebibytes(limits.memory)}`,
    `maxmem = ${mebibytes(limits.memory * MEMORY_GROWTH)}`,
    `vcpus = ${cpus}`,
    `maxvcpus = ${mostProcessors(cpus, parts.hostCpus)}`,
    `cap = ${cpuCap(limits.cpus)}`,
    ...['on_poweroff', 'on_reboot', 'on_crash', 'on_watchdog'].map((event) => `${event} = "preserve"`),
    `disk = [ ${text(`format=raw,vdev=xvda,access=rw,backendtype=phy,script=/bin/true,target=${parts.disk}`)} ]`,
    `vif = [ ${vifs.join(', ')} ]`,
    '',
  ].join('\n');
}

/** @throws TypeError for what a string of xl.cfg(5) cannot hold */
function text(value: string): string {
  if (/["\\\n\0]/.test(value)) throw new TypeError(`xl.cfg cannot hold ${JSON.stringify(value)}`);
  return `"${value}"`;
}
