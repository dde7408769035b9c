import { MIB } from '../../contract/sizes.ts';
import type { Limits } from '../../contract/vps.ts';
import type { OciConfig, OciMount, OciNamespace } from '../../host/oci/config.ts';
import type { Machine } from '../driver.ts';
import { PROGRAM, TRANSLATION_CACHE_MIB } from './command-line.ts';
import { JAIL, type MachinePaths } from './paths.ts';

/** QEMU's own memory besides the guest's and the translated code: measured 60 to 90 MiB, and room for page cache. */
const OVERHEAD_MIB = 160;
/** Threads of QEMU: processors, disk workers, the main loop. */
const THREADS = 512;

/** Bytes that the jail may use so that the guest has all of its own memory. */
export const jailMemory = (limits: Limits): number =>
  limits.memory + (OVERHEAD_MIB + TRANSLATION_CACHE_MIB) * MIB;

/** What QEMU needs of the host, read-only: itself, its libraries, its firmware. */
const HOST_PARTS = [
  PROGRAM,
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/share/qemu',
  '/usr/share/seabios',
];
const LINKS: Readonly<Record<string, string>> = { lib: 'usr/lib', lib64: 'usr/lib64' };

/** The empty root's own content: mount points and the links of a merged /usr. */
export interface RootTree {
  readonly directories: readonly string[];
  readonly files: readonly string[];
  readonly links: Readonly<Record<string, string>>;
}

export const rootTree = (): RootTree => ({
  directories: [
    'dev',
    'proc',
    ...HOST_PARTS.filter((path) => path !== PROGRAM),
    JAIL.sockets,
    JAIL.volume,
  ].map(relative),
  files: [PROGRAM, JAIL.kernel, JAIL.consoleLog].map(relative),
  links: LINKS,
});

const relative = (path: string): string => path.replace(/^\//, '');

/** System calls of which no part of QEMU has need; without capabilities most would fail anyway. */
const DENIED_CALLS = [
  ...[
    'acct',
    'add_key',
    'bpf',
    'clock_settime',
    'delete_module',
    'finit_module',
    'fsconfig',
    'fsmount',
    'fsopen',
  ],
  ...['fspick', 'init_module', 'ioperm', 'iopl', 'kexec_file_load', 'kexec_load', 'keyctl', 'lookup_dcookie'],
  ...[
    'mount',
    'mount_setattr',
    'move_mount',
    'move_pages',
    'name_to_handle_at',
    'open_by_handle_at',
    'open_tree',
  ],
  ...[
    'perf_event_open',
    'pivot_root',
    'process_vm_readv',
    'process_vm_writev',
    'ptrace',
    'quotactl',
    'reboot',
  ],
  ...['request_key', 'sethostname', 'setns', 'settimeofday', 'swapoff', 'swapon', 'umount2', 'unshare'],
  ...['userfaultfd', 'vhangup'],
];

const NAMESPACES: readonly OciNamespace[] = ['user', 'mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'];

/** The OCI configuration (OCI runtime specification, config.md) of the process that is a virtual machine. */
export function renderJail(machine: Machine, paths: MachinePaths, argv: readonly string[]): OciConfig {
  const { base, count } = machine.ids;
  const mapping = [{ containerID: 0, hostID: base, size: count }];
  const bind = (source: string, destination: string, ...options: string[]): OciMount => ({
    type: 'bind',
    source,
    destination,
    options: ['bind', 'nosuid', 'noexec', 'nodev', ...options],
  });
  return {
    ociVersion: '1.0.2',
    hostname: machine.name,
    root: { path: paths.root, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: argv,
      env: ['PATH=/usr/bin', 'LC_ALL=C.UTF-8', 'HOME=/'],
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      // The daemon's own is lower, so that it outlives its guests.
      oomScoreAdj: 0,
      rlimits: [
        { type: 'RLIMIT_CORE', hard: 0, soft: 0 },
        { type: 'RLIMIT_NOFILE', hard: 4096, soft: 4096 },
      ],
    },
    mounts: [
      {
        type: 'tmpfs',
        source: 'tmpfs',
        destination: '/dev',
        options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
      },
      ...HOST_PARTS.map((path) => ({
        type: 'bind',
        source: path,
        destination: path,
        options: ['bind', 'ro', 'nosuid', 'nodev'],
      })),
      bind(paths.sockets, JAIL.sockets, 'rw'),
      bind(paths.consoleLog, JAIL.consoleLog, 'rw'),
      bind(machine.volume, JAIL.volume, 'rw', 'idmap'),
      ...(machine.image.kernel === undefined
        ? []
        : [bind(machine.image.kernel.vmlinuz, JAIL.kernel, 'ro', 'idmap')]),
    ],
    linux: {
      namespaces: NAMESPACES.map((type) => ({ type })),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath: `/${machine.cgroup}`,
      devices:
        machine.technique === 'hardware'
          ? [{ path: '/dev/kvm', type: 'c', major: 10, minor: 232, fileMode: 0o600, uid: 0, gid: 0 }]
          : [],
      resources: {
        memory: { limit: jailMemory(machine.limits), swap: jailMemory(machine.limits) },
        cpu: { quota: Math.max(1000, Math.round(machine.limits.cpus * 100_000)), period: 100_000 },
        pids: { limit: THREADS },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: ['SCMP_ARCH_X86_64'],
        syscalls: [{ names: DENIED_CALLS, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }],
      },
    },
  };
}
