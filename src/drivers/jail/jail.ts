import { cpuQuota } from '../../host/cgroups.ts';
import type { OciConfig, OciDevice, OciMount, OciNamespace, OciRlimit } from '../../host/oci/config.ts';
import type { Machine } from '../driver.ts';
import { jailSeccomp } from './seccomp.ts';

const NAMESPACES: readonly OciNamespace[] = ['user', 'mount', 'pid', 'network', 'ipc', 'uts', 'cgroup'];

/** What differs between the processes that are virtual machines. */
export interface JailParts {
  readonly root: string;
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly mounts: readonly OciMount[];
  readonly devices?: readonly OciDevice[] | undefined;
  /** Bytes that it may use with all that the guest has. */
  readonly memory: number;
  /** Processors that its own threads may use besides the guest's. */
  readonly extraCpus: number;
  /** Processes and threads that it may have. */
  readonly threads: number;
  readonly openFiles: number;
  /** Of RLIMIT_CORE, bytes. */
  readonly coreSize: number;
  /** Calls of the denied ones that it cannot do without. */
  readonly needs?: readonly string[] | undefined;
  /** A monitor holds its standard streams as a terminal. */
  readonly terminal: boolean;
}

/** A file or folder of the host that the jail sees, nothing of it to be executed. */
export const bindMount = (source: string, destination: string, ...options: string[]): OciMount => ({
  type: 'bind',
  source,
  destination,
  options: ['bind', 'nosuid', 'noexec', 'nodev', ...options],
});

/** A program of the host, or what it needs, read-only. */
export const programMount = (path: string): OciMount => ({
  type: 'bind',
  source: path,
  destination: path,
  options: ['bind', 'ro', 'nosuid', 'nodev'],
});

/**
 * The OCI configuration (OCI runtime specification, config.md) of a process that is a virtual machine: ids of its own,
 * no capability, an empty root, namespaces, limits, and no system call that it does not need.
 */
export function renderJailConfig(machine: Machine, parts: JailParts): OciConfig {
  const { base, count } = machine.ids;
  const mapping = [{ containerID: 0, hostID: base, size: count }];
  const limit = (type: string, value: number): OciRlimit => ({ type, hard: value, soft: value });
  return {
    ociVersion: '1.0.2',
    hostname: machine.name,
    root: { path: parts.root, readonly: true },
    process: {
      terminal: parts.terminal,
      user: { uid: 0, gid: 0 },
      cwd: '/',
      args: parts.argv,
      env: parts.env,
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
      // The daemon's own is lower, so that it outlives its guests.
      oomScoreAdj: 0,
      rlimits: [limit('RLIMIT_CORE', parts.coreSize), limit('RLIMIT_NOFILE', parts.openFiles)],
    },
    mounts: [
      {
        type: 'tmpfs',
        source: 'tmpfs',
        destination: '/dev',
        options: ['nosuid', 'noexec', 'mode=755', 'size=64k'],
      },
      ...parts.mounts,
    ],
    linux: {
      namespaces: NAMESPACES.map((type) => ({ type })),
      uidMappings: mapping,
      gidMappings: mapping,
      cgroupsPath: `/${machine.cgroup}`,
      devices: parts.devices ?? [],
      resources: {
        memory: { limit: parts.memory, swap: parts.memory },
        cpu: cpuQuota(machine.limits.cpus + parts.extraCpus),
        pids: { limit: parts.threads },
      },
      seccomp: jailSeccomp(parts.needs ?? []),
    },
  };
}
