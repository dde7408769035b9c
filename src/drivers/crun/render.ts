import type {
  OciCapabilities,
  OciConfig,
  OciDeviceRule,
  OciMount,
  OciNamespace,
  OciRlimit,
} from '../../host/oci/config.ts';
import type { Machine } from '../driver.ts';
import { seccompProfile } from './seccomp.ts';

export interface RenderFacts {
  /** Folder that becomes the root. */
  readonly root: string;
  /** The first program of an init system, as the guest names it; the image's own when absent. */
  readonly init: string | undefined;
  /** Paths of the namespaces that it gets: one of users, which has the ids of the machine, and one of networks below that. */
  readonly namespaces: { readonly user: string; readonly network: string };
  readonly architecture: NodeJS.Architecture;
  readonly most: MostLimits;
}
/** What RLIMIT_NOFILE and RLIMIT_CORE may be raised to at most. */
export interface MostLimits {
  readonly openFiles: number;
  readonly coreSize: number;
}

export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/**
 * As any process without a wish (proc(5), oom_score_adj), whatever the daemon's own is. More would make the first program
 * the one that is killed when the VPS's memory is full, and with it the VPS.
 */
export const OOM_SCORE = 0;
const USUAL_OPEN_FILES = 1024;
const MOST_OPEN_FILES = 1_048_576;

/**
 * capabilities(7) that systemd and ordinary servers use; they count in the VPS's own user namespace only. Without
 * CAP_SYS_RESOURCE nobody inside can raise the limits of /proc/sys/user, and without CAP_MKNOD systemd tries no device.
 */
const CAPABILITIES = [
  ...['CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'LEASE', 'SETGID', 'SETUID', 'SETPCAP', 'SETFCAP'],
  ...['AUDIT_WRITE', 'IPC_LOCK', 'NET_ADMIN', 'NET_BIND_SERVICE', 'NET_RAW'],
  ...['SYS_ADMIN', 'SYS_BOOT', 'SYS_CHROOT', 'SYS_NICE', 'SYS_PTRACE'],
].map((name) => `CAP_${name}`);

/** Of root in the VPS; for other users nothing is in effect, as after a login. */
export const capabilitiesOf = (uid: number): OciCapabilities => {
  const held = uid === 0 ? CAPABILITIES : [];
  return { bounding: CAPABILITIES, effective: held, permitted: held, inheritable: [], ambient: [] };
};

export const rlimits = ({ openFiles, coreSize }: MostLimits): OciRlimit[] => {
  const hard = Math.min(openFiles, MOST_OPEN_FILES);
  return [
    { type: 'RLIMIT_NOFILE', soft: Math.min(USUAL_OPEN_FILES, hard), hard },
    { type: 'RLIMIT_CORE', soft: coreSize, hard: coreSize },
  ];
};

/** Made for it, beside those that it gets. */
const NAMESPACES: readonly OciNamespace[] = ['mount', 'pid', 'ipc', 'uts', 'cgroup'];

/** Devices by their numbers (Documentation/admin-guide/devices.txt): null, zero, full, random, urandom, tty, console, ptmx. */
const DEVICES = [
  [1, 3],
  [1, 5],
  [1, 7],
  [1, 8],
  [1, 9],
  [5, 0],
  [5, 1],
  [5, 2],
] as const;
const PTY_SLAVES = 136;
const DEVICE_RULES: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  ...DEVICES.map(
    ([major, minor]): OciDeviceRule => ({ allow: true, type: 'c', major, minor, access: 'rwm' }),
  ),
  { allow: true, type: 'c', major: PTY_SLAVES, access: 'rwm' },
];

/** Ties the machine to the OCI runtime specification 1.0.2. Its limits are set on the cgroup before it starts. */
export function renderConfig(machine: Machine, facts: RenderFacts): OciConfig {
  const { base, count } = machine.ids;
  const mappings = [{ containerID: 0, hostID: base, size: count }];
  return {
    ociVersion: '1.0.2',
    hostname: machine.name,
    root: { path: facts.root, readonly: false },
    process: {
      terminal: true,
      consoleSize: { width: 80, height: 24 },
      ...firstProgram(machine, facts.init),
      // sudo and other programs of a mode with set-user-ID must work.
      noNewPrivileges: false,
      oomScoreAdj: OOM_SCORE,
      rlimits: rlimits(facts.most),
    },
    mounts: mounts(machine.limits.memory),
    linux: {
      namespaces: [
        { type: 'user', path: facts.namespaces.user },
        { type: 'network', path: facts.namespaces.network },
        ...NAMESPACES.map((type) => ({ type })),
      ],
      uidMappings: mappings,
      gidMappings: mappings,
      cgroupsPath: `/${machine.cgroup}`,
      resources: { devices: DEVICE_RULES },
      seccomp: seccompProfile(facts.architecture),
    },
  };
}

function firstProgram(
  machine: Machine,
  init: string | undefined,
): Pick<OciConfig['process'], 'user' | 'cwd' | 'args' | 'env' | 'capabilities'> {
  const { program } = machine.image;
  if (program === undefined) {
    return {
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: init === undefined ? [] : [init],
      env: initEnvironment(machine, {}),
      capabilities: capabilitiesOf(0),
    };
  }
  const { uid, gid, groups, cwd, argv, env } = program;
  return {
    user: { uid, gid, additionalGids: groups },
    cwd,
    args: argv,
    env: initEnvironment(machine, env),
    capabilities: capabilitiesOf(uid),
  };
}

/** What systemd reads of a container manager (systemd, "Container Interface"), and the VPS's own. */
function initEnvironment({ env, machineId }: Machine, own: Readonly<Record<string, string>>): string[] {
  const all = {
    PATH: SEARCH_PATH,
    TERM: 'xterm-256color',
    ...own,
    ...env,
    container: 'mullion',
    container_uuid: machineId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
  };
  return Object.entries(all).map(([key, value]) => `${key}=${value}`);
}

const mount = (type: string, destination: string, ...options: string[]): OciMount => ({
  type,
  destination,
  source: type,
  options,
});
/** Terminals at one time; the host has some thousands for all (kernel.pty.max). */
const TERMINALS = 256;
/** As many as the kernel would give a server of this memory (tmpfs(5)), and not as many as the host's would. */
const inodes = (memory: number): string => `nr_inodes=${Math.floor(memory / 4096 / 2)}`;

/** Files in memory count against the VPS's limit, where no kill frees them: together they leave room for programs. */
const mounts = (memory: number): OciMount[] => [
  mount('proc', '/proc', 'nosuid', 'noexec', 'nodev'),
  mount('tmpfs', '/dev', 'nosuid', 'strictatime', 'mode=755', 'size=1024k', 'nr_inodes=4096'),
  mount(
    'devpts',
    '/dev/pts',
    'nosuid',
    'noexec',
    'newinstance',
    'ptmxmode=0666',
    'mode=0620',
    'gid=5',
    `max=${TERMINALS}`,
  ),
  mount(
    'tmpfs',
    '/dev/shm',
    'nosuid',
    'nodev',
    'mode=1777',
    `size=${Math.floor(memory / 2)}`,
    inodes(memory),
  ),
  mount('mqueue', '/dev/mqueue', 'nosuid', 'noexec', 'nodev'),
  mount('sysfs', '/sys', 'nosuid', 'noexec', 'nodev', 'ro'),
  mount('cgroup', '/sys/fs/cgroup', 'nosuid', 'noexec', 'nodev', 'relatime', 'rw'),
  mount('tmpfs', '/run', 'nosuid', 'nodev', 'mode=755', `size=${Math.floor(memory / 5)}`, inodes(memory)),
  mount('tmpfs', '/run/lock', 'nosuid', 'nodev', 'noexec', 'mode=1777', 'size=5120k', 'nr_inodes=4096'),
];
