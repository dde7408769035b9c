import { MIB } from '../../contract/sizes.ts';
import type { Limits } from '../../contract/vps.ts';
import type { OciConfig } from '../../host/oci/config.ts';
import type { Machine } from '../driver.ts';
import { threadsMax } from '../guest-agent/guest-limits.ts';
import { diskFile } from '../guest-disk/disk.ts';
import { bindMount, programMount, renderJailConfig } from '../jail/jail.ts';
import { MODULES, PROGRAM } from './command-line.ts';
import { JAIL, type MachinePaths } from './paths.ts';

/** The kernel's own process, and what the host spends on each page that a guest's process maps. */
const OVERHEAD_MIB = 96;
const OVERHEAD_SHARE = 8;
/** Each address space in the guest is a process of the host; the kernel itself has a few. */
const OWN_PROCESSES = 32;

/** Bytes that the jail may use so that the guest has all of its own memory. */
export const jailMemory = ({ memory }: Limits): number =>
  memory + OVERHEAD_MIB * MIB + Math.ceil(memory / OVERHEAD_SHARE);

/** Processes of the host: the guest's own limit is reached first, as the kernel dies when it cannot have another. */
export const jailProcesses = ({ pids, cpus }: Limits): number => threadsMax(pids, cpus) + OWN_PROCESSES;

/** What the program needs of the host to be executed. */
const PROGRAM_PARTS = [PROGRAM, '/usr/lib/x86_64-linux-gnu/libc.so.6', '/usr/lib64/ld-linux-x86-64.so.2'];
const LINKS: Readonly<Record<string, string>> = { lib: 'usr/lib', lib64: 'usr/lib64' };

/** The empty root's own content: mount points and the links of a merged /usr. */
export const rootTree = (paths: MachinePaths) => ({
  directories: ['dev', 'proc', JAIL.modules, JAIL.memory, paths.sockets].map(relative),
  files: [...PROGRAM_PARTS, JAIL.preload, JAIL.disk, JAIL.initramfs].map(relative),
  links: LINKS,
});

const relative = (path: string): string => path.replace(/^\//, '');

/** The jail of the process that is a guest's kernel, and of those that are its programs. */
export function renderJail(
  machine: Machine,
  paths: MachinePaths,
  argv: readonly string[],
  coreSize: number,
): OciConfig {
  return renderJailConfig(machine, {
    root: paths.root,
    argv,
    env: [
      ...['PATH=/usr/bin', 'HOME=/', 'TERM=vt100'],
      `TMPDIR=${JAIL.memory}`,
      `LD_PRELOAD=${JAIL.preload}`,
    ],
    mounts: [
      ...PROGRAM_PARTS.map(programMount),
      programMountAt(paths.preload, JAIL.preload),
      // The guest's memory: a file that its processes map, also to execute from it.
      {
        type: 'tmpfs',
        source: 'tmpfs',
        destination: JAIL.memory,
        options: ['nosuid', 'nodev', 'mode=700', `size=${jailMemory(machine.limits)}`],
      },
      {
        type: 'devpts',
        source: 'devpts',
        destination: '/dev/pts',
        options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
      },
      bindMount(paths.sockets, paths.sockets, 'rw'),
      // No folder of the volume, in which the jail could put something else in the disk's place.
      bindMount(diskFile(machine), JAIL.disk, 'rw', 'idmap'),
      bindMount(paths.initramfs, JAIL.initramfs, 'ro', 'idmap'),
      bindMount(MODULES, JAIL.modules, 'ro'),
    ],
    memory: jailMemory(machine.limits),
    extraCpus: 0,
    threads: jailProcesses(machine.limits),
    openFiles: 4096,
    coreSize,
    needs: ['ptrace'],
    terminal: true,
  });
}

const programMountAt = (source: string, destination: string) => ({ ...programMount(source), destination });
