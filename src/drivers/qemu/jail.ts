import { existsSync } from 'node:fs';
import { MIB } from '../../contract/sizes.ts';
import type { Limits } from '../../contract/vps.ts';
import type { OciConfig } from '../../host/oci/config.ts';
import type { Machine } from '../driver.ts';
import { bindMount, programMount, renderJailConfig } from '../jail/jail.ts';
import { PROGRAM, TRANSLATION_CACHE_MIB } from './command-line.ts';
import { OVMF_FOLDER } from './foreign/firmware.ts';
import { isForeign } from './foreign/image.ts';
import { JAIL, type MachinePaths } from './paths.ts';

/** QEMU's own memory besides the guest's and the translated code: measured 60 to 90 MiB, and room for page cache. */
const OVERHEAD_MIB = 160;
/** Threads of QEMU: processors, disk workers, the main loop. */
const THREADS = 512;

/** Bytes that the jail may use so that the guest has all of its own memory. */
export const jailMemory = (limits: Limits): number =>
  limits.memory + (OVERHEAD_MIB + TRANSLATION_CACHE_MIB) * MIB;

/**
 * Processors for what QEMU does beside those of the guest: its devices, its disk workers. Out of the guest's own share it
 * would stop the guest in each period (measured: a boot of 15 s takes 19). A guest whose processors are more than its share
 * gets none, as it could use it itself.
 */
const OWN_CPUS = 0.25;
export const extraCpus = ({ cpus }: Pick<Limits, 'cpus'>): number => (Number.isInteger(cpus) ? OWN_CPUS : 0);

/** What QEMU needs of the host, read-only: itself, its libraries, its firmware. */
const HOST_PARTS = [
  PROGRAM,
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib64',
  '/usr/share/qemu',
  '/usr/share/seabios',
];
const hostParts = ({ image }: Machine): string[] =>
  isForeign(image) && existsSync(OVMF_FOLDER) ? [...HOST_PARTS, OVMF_FOLDER] : HOST_PARTS;
const LINKS: Readonly<Record<string, string>> = { lib: 'usr/lib', lib64: 'usr/lib64' };

/** A file of the volume. The jail sees no folder of it, in which it could put something else in the file's place. */
export interface JailFile {
  readonly source: string;
  readonly target: string;
  readonly access: 'ro' | 'rw';
}

/** The empty root's own content: mount points and the links of a merged /usr. */
export interface RootTree {
  readonly directories: readonly string[];
  readonly files: readonly string[];
  readonly links: Readonly<Record<string, string>>;
}

export const rootTree = (machine: Machine, files: readonly JailFile[]): RootTree => ({
  directories: [
    'dev',
    'proc',
    ...hostParts(machine).filter((path) => path !== PROGRAM),
    JAIL.sockets,
    JAIL.handover,
  ].map(relative),
  files: [
    PROGRAM,
    isForeign(machine.image) ? JAIL.iso : JAIL.kernel,
    JAIL.consoleLog,
    ...files.map(({ target }) => target),
  ].map(relative),
  links: LINKS,
});

const relative = (path: string): string => path.replace(/^\//, '');

/** What the guest boots from besides its volume, with its place in the jail. */
function medium({ image: { kernel, iso }, image }: Machine): (readonly [string, string])[] {
  if (isForeign(image)) return iso === undefined ? [] : [[iso, JAIL.iso]];
  return kernel === undefined ? [] : [[kernel.vmlinuz, JAIL.kernel]];
}

/** The jail of the process that is a virtual machine. */
export function renderJail(
  machine: Machine,
  paths: MachinePaths,
  argv: readonly string[],
  files: readonly JailFile[],
  coreSize: number,
): OciConfig {
  return renderJailConfig(machine, {
    root: paths.root,
    argv,
    env: ['PATH=/usr/bin', 'LC_ALL=C.UTF-8', 'HOME=/'],
    mounts: [
      ...hostParts(machine).map(programMount),
      bindMount(paths.sockets, JAIL.sockets, 'rw'),
      bindMount(paths.handover, JAIL.handover, 'ro'),
      bindMount(paths.consoleLog, JAIL.consoleLog, 'rw'),
      ...files.map(({ source, target, access }) => bindMount(source, target, access, 'idmap')),
      ...medium(machine).map(([source, target]) => bindMount(source, target, 'ro', 'idmap')),
    ],
    devices:
      machine.technique === 'hardware'
        ? [{ path: '/dev/kvm', type: 'c', major: 10, minor: 232, fileMode: 0o600, uid: 0, gid: 0 }]
        : [],
    memory: jailMemory(machine.limits),
    extraCpus: extraCpus(machine.limits),
    threads: THREADS,
    openFiles: 4096,
    coreSize,
    terminal: false,
  });
}
