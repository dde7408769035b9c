import { MIB } from '../../contract/sizes.ts';
import type { Technique } from '../../contract/techniques.ts';
import type { Machine, NicSpec } from '../driver.ts';
import { processors, threadsMax } from '../guest-agent/guest-limits.ts';
import { SHUTDOWN_TRACE } from './end.ts';
import { type ForeignBoot, foreignDevices, foreignMachine, foreignNetwork } from './foreign/command-line.ts';
import { PORT_COUNT, portName } from './guest-ports.ts';
import { JAIL, SOCKET } from './paths.ts';
import { HOLD_WITHOUT_ROOM } from './run-state.ts';
import type { MemoryHeader } from './saved-memory.ts';

/**
 * Memory of translated code (QEMU, -accel tcg,tb-size), MiB; part of what QEMU needs besides the guest's memory. A boot of
 * Debian empties it once, and translates little twice: in half of it, every second block.
 */
export const TRANSLATION_CACHE_MIB = 128;
/** Parameters of the guest's kernel (Linux, Documentation/admin-guide/kernel-parameters). */
export function kernelParameters(machine: Machine, counterKhz: number | undefined): string {
  return [
    'console=ttyS0',
    'root=/dev/vda',
    'rw',
    'quiet',
    'panic=10',
    'net.ifnames=0',
    `sysctl.kernel.threads-max=${threadsMax(machine.limits.pids, machine.limits.cpus)}`,
    ...accelerator(machine.technique).parameters(counterKhz),
  ].join(' ');
}

interface Accelerator {
  readonly accel: string;
  readonly cpu: string;
  /** Of the guest's kernel. */
  readonly parameters: (counterKhz: number | undefined) => readonly string[];
}

const ACCELERATOR: Readonly<Record<'full' | 'hardware', Accelerator>> = {
  full: {
    accel: `tcg,thread=multi,tb-size=${TRANSLATION_CACHE_MIB}`,
    cpu: 'max',
    // All emulated processors read one counter, the host's (QEMU, cpu_get_ticks), which Linux does not believe of several:
    // it would ask an emulated timer for the time. They do not speculate, and no barrier in a guest changes what the
    // host's processor does with translated code.
    // What it measures at boot may be far off when the host is busy, so it is told the speed
    // (Documentation/admin-guide/kernel-parameters.txt, tsc_early_khz).
    parameters: (counterKhz) => [
      ...(counterKhz === undefined ? [] : ['tsc=reliable', `tsc_early_khz=${counterKhz}`]),
      'mitigations=off',
    ],
  },
  hardware: { accel: 'kvm', cpu: 'host', parameters: () => [] },
};
export const accelerator = (technique: Technique): Accelerator =>
  ACCELERATOR[technique === 'hardware' ? 'hardware' : 'full'];

/** QEMU's own limits on what its process may do (QEMU, -sandbox: seccomp). */
export const SANDBOX = 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny';
export const PROGRAM = '/usr/bin/qemu-system-x86_64';

export interface CommandLineOptions {
  /** Descriptor of the tap in QEMU for each of the machine's NICs, in order. */
  readonly tapFds: readonly number[];
  /** Processors that may be plugged in while it runs, with those it starts with. */
  readonly maximumCpus: number;
  /** Speed of the host's counter, where it always has the same. */
  readonly counterKhz: number | undefined;
  /** Of a guest that boots by a loader of its own. */
  readonly foreign?: ForeignBoot | undefined;
  /** Of saved memory that it is to wait for, instead of booting. */
  readonly asleep?: Pick<MemoryHeader, 'cpus' | 'maximumCpus' | 'ports' | 'template' | 'runner'> | undefined;
}

/** QEMU's argument array, with paths of the jail: the machine q35, stopped before its first instruction. */
export function renderCommandLine(machine: Machine, options: CommandLineOptions): string[] {
  const { accel, cpu } = accelerator(machine.technique);
  const { foreign, asleep } = options;
  const cpus = asleep?.cpus ?? processors(machine.limits.cpus);
  const maximumCpus = asleep?.maximumCpus ?? Math.max(cpus, options.maximumCpus);
  return [
    PROGRAM,
    ...['-name', `guest=${machine.name},debug-threads=on`],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-S'],
    ...['-sandbox', SANDBOX, '-trace', `enable=${SHUTDOWN_TRACE}`],
    ...['-machine', foreign === undefined ? PREPARED_MACHINE : foreignMachine(foreign)],
    ...['-accel', accel, '-cpu', cpu],
    ...['-smp', `cpus=${cpus},maxcpus=${maximumCpus}`],
    ...['-m', `size=${memorySize(machine) / MIB}M`],
    ...(asleep === undefined ? [] : ['-incoming', 'defer']),
    ...socket('monitor', SOCKET.monitor),
    ...['-mon', 'chardev=monitor,mode=control'],
    ...socket('console', SOCKET.console, `,logfile=${JAIL.consoleLog},logappend=on`),
    ...['-serial', 'chardev:console'],
    ...['-blockdev', json(diskFile())],
    ...(foreign === undefined
      ? preparedDevices(machine, options)
      : [...foreignDevices(machine, foreign), ...foreignLinks(machine, options)]),
  ];
}

const LINK_PORT = 'links';
const MOST_QUEUES = 4;
/** As QEMU itself calls the memory of this machine: what was saved with one backend is loaded into another. */
const RAM = 'pc.ram';

const foreignLinks = (machine: Machine, { tapFds }: CommandLineOptions): string[] =>
  machine.nics.flatMap((nic, index) => [
    ...netdev(index, tapFds),
    ...[
      '-device',
      json({ driver: foreignNetwork(machine), netdev: `net${index}`, mac: nic.mac, romfile: '' }),
    ],
  ]);

const memorySize = ({ limits }: Machine): number => Math.floor(limits.memory / MIB) * MIB;

/** A template writes to the file itself; what starts from a copy of it keeps its changes to itself. */
function memoryBackend(machine: Machine, isCopy: boolean): unknown {
  const isTemplate = machine.template === true;
  const common = { id: RAM, size: memorySize(machine) };
  return isTemplate || isCopy
    ? { ...common, 'qom-type': 'memory-backend-file', 'mem-path': JAIL.ram, share: isTemplate }
    : { ...common, 'qom-type': 'memory-backend-ram' };
}

const PREPARED_MACHINE = `q35,sata=off,smbus=off,vmport=off,memory-backend=${RAM}`;

/** Of a guest that our kernel boots, with the agent in it. */
function preparedDevices(machine: Machine, options: CommandLineOptions): string[] {
  const { tapFds, asleep, maximumCpus, counterKhz } = options;
  const isCopy = asleep?.template === true;
  // Not as many as there are processors, as those change while it runs: saved memory needs the same device.
  const queues = Math.min(MOST_QUEUES, asleep?.maximumCpus ?? maximumCpus);
  return [
    ...['-object', json(memoryBackend(machine, isCopy))],
    ...['-kernel', JAIL.kernel, '-initrd', JAIL.initramfs, '-append', kernelParameters(machine, counterKhz)],
    ...['-device', json({ driver: 'virtio-serial-pci', id: 'serial0', max_ports: PORT_COUNT })],
    ...socket('agent', SOCKET.agent),
    ...['-device', json(port(1, 'agent', { name: 'org.qemu.guest_agent.0' }))],
    ...[
      '-device',
      json({
        driver: 'virtio-blk-pci',
        id: 'vda',
        drive: 'disk',
        'num-queues': queues,
        ...HOLD_WITHOUT_ROOM,
      }),
    ],
    ...['-object', 'rng-builtin,id=rng', '-device', 'virtio-rng-pci,rng=rng'],
    // A number that is new to the guest has it seed its random numbers anew (QEMU, "Virtual Machine Generation ID").
    ...['-device', 'vmgenid,guid=auto'],
    ...(asleep?.ports ?? []).flatMap((nr) => ['-chardev', `null,id=${portName(nr)}`, ...commandPort(nr)]),
    ...(asleep?.runner === undefined ? [] : runnerPort(asleep.runner)),
    // Links may be plugged in behind it while the guest runs; those there are from the start have the same place.
    ...['-device', json({ driver: 'pcie-root-port', id: LINK_PORT, chassis: 1 })],
    ...machine.nics.flatMap((nic, index) => [
      ...netdev(index, tapFds),
      ...(isCopy ? [] : ['-device', json(linkDevice(nic, index))]),
    ]),
  ];
}

const commandPort = (nr: number): string[] => ['-device', json(port(nr, portName(nr), { id: portName(nr) }))];

const runnerPort = ({ port: nr }: NonNullable<MemoryHeader['runner']>): string[] => [
  ...socket(portName(nr), portName(nr)),
  ...commandPort(nr),
];

const port = (nr: number, chardev: string, more: object): unknown => ({
  driver: 'virtserialport',
  bus: 'serial0.0',
  nr,
  chardev,
  ...more,
});

const netdev = (index: number, tapFds: readonly number[]): string[] => [
  '-netdev',
  `tap,id=net${index},fd=${tapFds[index] ?? -1}`,
];

const json = (value: unknown): string => JSON.stringify(value);

/** A port takes one device, which may have eight functions. */
export const linkDevice = (nic: NicSpec, index: number): Readonly<Record<string, unknown>> => ({
  driver: 'virtio-net-pci',
  id: `link${index}`,
  bus: LINK_PORT,
  addr: `0.${index}`,
  ...(index === 0 ? { multifunction: true } : {}),
  netdev: `net${index}`,
  mac: nic.mac,
  romfile: '',
});

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
