import { MIB } from '../../contract/sizes.ts';
import type { Technique } from '../../contract/techniques.ts';
import type { Machine } from '../driver.ts';
import { processors, threadsMax } from '../guest-agent/guest-limits.ts';
import { SHUTDOWN_TRACE } from './end.ts';
import { type ForeignBoot, foreignDevices, foreignMachine, foreignNetwork } from './foreign/command-line.ts';
import { PORT_COUNT } from './guest-ports.ts';
import { JAIL, SOCKET } from './paths.ts';

/** Memory of translated code (QEMU, -accel tcg,tb-size), MiB; part of what QEMU needs besides the guest's memory. */
export const TRANSLATION_CACHE_MIB = 64;
/** Parameters of the guest's kernel (Linux, Documentation/admin-guide/kernel-parameters). */
export function kernelParameters(machine: Machine): string {
  return [
    'console=ttyS0',
    'root=/dev/vda',
    'rw',
    'quiet',
    'panic=10',
    'net.ifnames=0',
    `sysctl.kernel.threads-max=${threadsMax(machine.limits.pids, machine.limits.cpus)}`,
  ].join(' ');
}

const ACCELERATOR: Readonly<Record<'full' | 'hardware', { accel: string; cpu: string }>> = {
  full: { accel: `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`, cpu: 'max' },
  hardware: { accel: 'kvm', cpu: 'host' },
};
export const accelerator = (technique: Technique): { accel: string; cpu: string } =>
  ACCELERATOR[technique === 'hardware' ? 'hardware' : 'full'];

/** QEMU's own limits on what its process may do (QEMU, -sandbox: seccomp). */
export const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
export const PROGRAM = '/usr/bin/qemu-system-x86_64';

export interface CommandLineOptions {
  /** Descriptor of the tap in QEMU for each of the machine's NICs, in order. */
  readonly tapFds: readonly number[];
  /** Processors that may be plugged in while it runs, with those it starts with. */
  readonly maximumCpus: number;
  /** Of a guest that boots by a loader of its own. */
  readonly foreign?: ForeignBoot | undefined;
}

/** QEMU's argument array, with paths of the jail: the machine q35, stopped before its first instruction. */
export function renderCommandLine(machine: Machine, options: CommandLineOptions): string[] {
  const { accel, cpu } = accelerator(machine.technique);
  const cpus = processors(machine.limits.cpus);
  const { foreign } = options;
  const network = foreign === undefined ? 'virtio-net-pci' : foreignNetwork(machine);
  return [
    PROGRAM,
    ...['-name', `guest=${machine.name},debug-threads=on`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ...['-sandbox', SANDBOX, '-trace', `enable=${SHUTDOWN_TRACE}`],
    ...['-machine', foreign === undefined ? PREPARED_MACHINE : foreignMachine(foreign)],
    ...['-accel', accel, '-cpu', cpu],
    ...['-smp', `cpus=${cpus},maxcpus=${Math.max(cpus, options.maximumCpus)}`],
    ...['-m', `size=${Math.floor(machine.limits.memory / MIB)}M`],
    ...socket('monitor', SOCKET.monitor),
    ...['-mon', 'chardev=monitor,mode=control'],
    ...socket('console', SOCKET.console, `,logfile=${JAIL.consoleLog},logappend=on`),
    ...['-serial', 'chardev:console'],
    ...['-blockdev', json(diskFile())],
    ...(foreign === undefined ? preparedDevices(machine) : foreignDevices(machine, foreign)),
    ...machine.nics.flatMap((nic, index) => [
      ...['-netdev', `tap,id=net${index},fd=${options.tapFds[index] ?? -1}`],
      ...['-device', json({ driver: network, netdev: `net${index}`, mac: nic.mac, romfile: '' })],
    ]),
  ];
}

const PREPARED_MACHINE = 'q35,sata=off,smbus=off,vmport=off';

/** Of a guest that our kernel boots, with the agent in it. */
const preparedDevices = (machine: Machine): string[] => [
  ...['-kernel', JAIL.kernel, '-initrd', JAIL.initramfs, '-append', kernelParameters(machine)],
  ...['-device', json({ driver: 'virtio-serial-pci', id: 'serial0', max_ports: PORT_COUNT })],
  ...socket('agent', SOCKET.agent),
  ...[
    '-device',
    json({
      driver: 'virtserialport',
      bus: 'serial0.0',
      nr: 1,
      chardev: 'agent',
      name: 'org.qemu.guest_agent.0',
    }),
  ],
  ...['-device', json({ driver: 'virtio-blk-pci', id: 'vda', drive: 'disk' })],
  ...['-object', 'rng-builtin,id=rng', '-device', 'virtio-rng-pci,rng=rng'],
];

const json = (value: unknown): string => JSON.stringify(value);

const socket = (id: string, name: string, more = ''): string[] => [
  '-chardev',
  `socket,id=${id},path=${JAIL.sockets}/${name},server=on,wait=off${more}`,
];

/** The host's page cache is used: btrfs and its checksums do not mix with direct I/O from a guest's changing memory. */
const diskFile = (): unknown => ({
  driver: 'raw',
  'node-name': 'disk',
  discard: 'unmap',
  file: {
    driver: 'file',
    'node-name': 'disk-file',
    filename: JAIL.disk,
    aio: 'threads',
    discard: 'unmap',
    cache: { direct: false, 'no-flush': false },
  },
});
