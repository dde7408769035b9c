import type { OciConfig, OciMount, OciNamespace } from '../oci/config.ts';
import { keepCoreLimit } from '../oci/core-files.ts';

/** A place of the host that a jail sees. */
export interface JailMount {
  readonly source: string;
  readonly target: string;
  readonly access: 'read' | 'write';
  /** Ids on disk stay 0 and up while the jail's own are others; without it the jail meets files of nobody. */
  readonly mapped?: boolean | undefined;
  /** True: programs in it may run. */
  readonly runs?: boolean | undefined;
}

/** One program that reads hostile data. */
export interface JailSpec {
  readonly argv: readonly string[];
  readonly mounts: readonly JailMount[];
  readonly cwd?: string | undefined;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Capabilities, which count for the jail's own ids alone; none when absent. */
  readonly capabilities?: readonly string[] | undefined;
  /** A mounted root file system that is entered by chroot: it gets /proc and a few devices that hold nothing. */
  readonly system?: string | undefined;
  /** True: the host's network. */
  readonly network?: boolean | undefined;
  /** True: it may mount file systems that programs of its own make (fuse(4)), on the folder /mnt, and nothing else. */
  readonly fuse?: boolean | undefined;
  /** Bytes of memory; page cache that can be dropped is no obstacle. */
  readonly memory?: number | undefined;
  /** The largest file that it may write, in bytes. */
  readonly fileSize?: number | undefined;
  /** Wall time, in milliseconds. */
  readonly timeoutMs?: number | undefined;
}

export interface JailPlace {
  readonly root: string;
  readonly cgroup: string;
  readonly ids: { readonly base: number; readonly count: number };
  readonly architecture: NodeJS.Architecture;
  /** Of RLIMIT_CORE, bytes. */
  readonly coreSize: number;
}

const MEMORY = 1024 ** 3;
export const JAIL_TIMEOUT_MS = 3_600_000;
const PIDS = 128;
const OPEN_FILES = 4096;

/** What programs need of the host, read-only. */
export const HOST_FOLDERS = ['usr'] as const;
/** Where callers mount what is theirs; the root itself is read-only and empty. */
export const JAIL_FOLDERS = [
  'etc',
  'etc/ssl',
  'etc/containers',
  'proc',
  'dev',
  'tmp',
  'mnt',
  'in',
  'out',
  'root',
] as const;
/** Files of the host that resolve names and tell authorities; only with a network. */
export const NETWORK_FILES = ['etc/resolv.conf', 'etc/hosts', 'etc/nsswitch.conf'] as const;
export const NETWORK_FOLDERS = ['etc/ssl'] as const;
export const LINKS: Readonly<Record<string, string>> = {
  bin: 'usr/bin',
  sbin: 'usr/sbin',
  lib: 'usr/lib',
  lib64: 'usr/lib64',
};

/** System calls of which no unpacker has need, and which have let others out. */
const DENIED_CALLS = [
  ...['acct', 'add_key', 'bpf', 'clock_settime', 'delete_module', 'finit_module', 'fsconfig', 'fsmount'],
  ...['fsopen', 'fspick', 'init_module', 'kexec_file_load', 'kexec_load', 'keyctl', 'mount', 'mount_setattr'],
  ...['move_mount', 'open_by_handle_at', 'open_tree', 'perf_event_open', 'pivot_root', 'process_vm_readv'],
  ...['process_vm_writev', 'ptrace', 'quotactl', 'reboot', 'request_key', 'setns', 'settimeofday', 'swapoff'],
  ...['swapon', 'umount2', 'unshare', 'userfaultfd'],
];
/** fusermount(1) is not there: the program mounts for itself. */
const FUSE_CALLS: ReadonlySet<string> = new Set(['mount', 'umount2']);
const SECCOMP: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'SCMP_ARCH_X86_64',
  arm64: 'SCMP_ARCH_AARCH64',
};

/** null(4)'s neighbour for file systems of programs (devices.txt, misc 229). */
const FUSE_DEVICE = {
  path: '/dev/fuse',
  type: 'c',
  major: 10,
  minor: 229,
  fileMode: 0o666,
  uid: 0,
  gid: 0,
} as const;

/** The OCI configuration of a jail: an empty root, ids of its own, no way to the host (OCI runtime specification). */
export function renderJail(spec: JailSpec, place: JailPlace): OciConfig {
  const { base, count } = place.ids;
  const mapping = [{ containerID: 0, hostID: base, size: count }];
  const held = [...(spec.capabilities ?? []), ...(spec.fuse === true ? ['CAP_SYS_ADMIN'] : [])];
  const denied = spec.fuse === true ? DENIED_CALLS.filter((name) => !FUSE_CALLS.has(name)) : DENIED_CALLS;
  const memory = spec.memory ?? MEMORY;
  const seconds = Math.ceil((spec.timeoutMs ?? JAIL_TIMEOUT_MS) / 1000);
  const limit = (type: string, most: number) => ({ type, soft: most, hard: most });
  const namespaces: OciNamespace[] = ['user', 'mount', 'pid', 'ipc', 'uts', 'cgroup'];
  const shown = spec.network === true ? [...NETWORK_FILES, ...NETWORK_FOLDERS] : [];
  return {
    ociVersion: '1.0.2',
    hostname: 'jail',
    root: { path: place.root, readonly: true },
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      cwd: spec.cwd ?? '/',
      args: spec.argv,
      env: Object.entries({
        PATH: '/usr/bin:/usr/sbin',
        LC_ALL: 'C.UTF-8',
        HOME: '/root',
        TMPDIR: '/tmp',
        ...spec.env,
      }).map(([key, value]) => `${key}=${value}`),
      capabilities: { bounding: held, effective: held, permitted: held, inheritable: [], ambient: [] },
      noNewPrivileges: true,
      oomScoreAdj: 500,
      rlimits: [
        limit('RLIMIT_CORE', place.coreSize),
        limit('RLIMIT_NOFILE', OPEN_FILES),
        limit('RLIMIT_CPU', seconds),
        ...(spec.fileSize === undefined ? [] : [limit('RLIMIT_FSIZE', spec.fileSize)]),
      ],
    },
    mounts: [
      ...HOST_FOLDERS.map((folder) => bind(`/${folder}`, `/${folder}`, 'ro', 'nodev', 'nosuid')),
      ...shown.map((path) => bind(`/${path}`, `/${path}`, 'ro', 'nodev', 'nosuid', 'noexec')),
      { type: 'proc', source: 'proc', destination: '/proc', options: ['nosuid', 'noexec', 'nodev'] },
      {
        type: 'tmpfs',
        source: 'tmpfs',
        destination: '/dev',
        options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
      },
      ...spec.mounts.map(({ source, target, access, mapped, runs }) =>
        bind(
          source,
          target,
          access === 'read' ? 'ro' : 'rw',
          ...['nosuid', 'nodev'],
          ...(runs === true ? [] : ['noexec']),
          ...(mapped === false ? [] : ['idmap']),
        ),
      ),
      ...(spec.system === undefined ? [] : systemMounts(spec.system)),
    ],
    linux: {
      namespaces: [...namespaces, ...(spec.network === true ? [] : ['network' as const])].map((type) => ({
        type,
      })),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath: `/${place.cgroup}`,
      ...(spec.fuse === true ? { devices: [FUSE_DEVICE] } : {}),
      resources: {
        memory: { limit: memory, swap: memory },
        cpu: { quota: 200_000, period: 100_000 },
        pids: { limit: PIDS },
      },
      seccomp: {
        defaultAction: 'SCMP_ACT_ALLOW',
        architectures: [SECCOMP[place.architecture] ?? 'SCMP_ARCH_X86_64'],
        syscalls: [{ names: denied, action: 'SCMP_ACT_ERRNO', errnoRet: 1 }, ...keepCoreLimit()],
      },
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/sysrq-trigger', '/proc/timer_list'],
      readonlyPaths: ['/proc/sys', '/proc/irq', '/proc/bus'],
    },
  };
}

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom'];
const systemMounts = (root: string): OciMount[] => [
  { type: 'proc', source: 'proc', destination: `${root}/proc`, options: ['nosuid', 'noexec', 'nodev'] },
  { type: 'tmpfs', source: 'tmpfs', destination: `${root}/dev`, options: ['nosuid', 'mode=755', 'size=64k'] },
  ...DEVICES.map((name) => bind(`/dev/${name}`, `${root}/dev/${name}`, 'rw', 'nosuid', 'noexec')),
  { type: 'tmpfs', source: 'tmpfs', destination: `${root}/run`, options: ['nosuid', 'nodev', 'mode=755'] },
];

const bind = (source: string, destination: string, ...options: string[]): OciMount => ({
  type: 'bind',
  source,
  destination,
  options: ['bind', ...options],
});
