import { closeSync, existsSync, openSync } from 'node:fs';
import { chmod, mkdir, readdir, rm, rmdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { MIB } from '../../contract/sizes.ts';
import { counterKhz } from '../../host/counter.ts';
import { coreSize } from '../../host/oci/core-files.ts';
import type { OciRuntime } from '../../host/oci/runtime.ts';
import { readTail, startLog } from '../console/console-log.ts';
import type { Machine } from '../driver.ts';
import { agentPriority } from '../guest-agent/agent-priority.ts';
import { diskFile, growDiskFile } from '../guest-disk/disk.ts';
import { renderProvision, writeInitramfs } from '../guest-disk/initramfs.ts';
import { makeSocketFolder, plainFile, removeSocketFolder } from '../jail/jail-files.ts';
import { randomSeed } from '../provision/first-start.ts';
import { identityFiles } from '../provision/identity.ts';
import { type CommandLineOptions, renderCommandLine } from './command-line.ts';
import type { ForeignBoot } from './foreign/command-line.ts';
import { chooseFirmware, prepareUefi } from './foreign/firmware.ts';
import { isForeign } from './foreign/image.ts';
import { type JailFile, renderJail, rootTree } from './jail.ts';
import { BUNDLE, JAIL, type MachinePaths, machinePaths } from './paths.ts';
import type { MemoryHeader } from './saved-memory.ts';

const JAIL_PREFIX = 'qemu-';
export const jailId = (machine: string): string => `${JAIL_PREFIX}${machine}`;
export const machineOfJail = (jail: string): string | undefined =>
  jail.startsWith(JAIL_PREFIX) ? jail.slice(JAIL_PREFIX.length) : undefined;

export interface JailDependencies {
  readonly runtime: OciRuntime;
  /** A descriptor of the tap of this name, which the caller closes. */
  readonly openTap: (name: string) => number;
  readonly maximumCpus: number;
}

/**
 * Starts QEMU in its jail, its guest stopped before the first instruction, or waiting for its memory, of which `asleep`
 * is the header; the pid on the host.
 * @throws MullionError `image_unfit` without a kernel, `start_failed` with QEMU's last words
 */
export async function startJail(
  machine: Machine,
  { runtime, openTap, maximumCpus }: JailDependencies,
  asleep: MemoryHeader | undefined,
): Promise<number> {
  const paths = machinePaths(machine);
  const own = isForeign(machine.image) ? undefined : requireKernel(machine);
  if (asleep === undefined) await growDiskFile(machine, machine.limits.disk);
  if (machine.template === true) {
    await rm(paths.ram, { force: true });
    await writeFile(paths.ram, '', { flag: 'wx', mode: 0o600 });
  }
  const foreign = own === undefined ? await prepareFirmware(machine, paths) : undefined;
  if (own !== undefined) {
    await writeInitramfs(
      own.initramfs,
      paths.initramfs,
      renderProvision([...identityFiles(machine), randomSeed(), agentPriority()], new Date()),
    );
  }
  const files = volumeFiles(machine, paths, { foreign, asleep });
  await makeFolders(machine, paths, files);
  if (asleep !== undefined) await writeFile(paths.asleep, '');
  const taps: number[] = [];
  let log: number | undefined;
  try {
    for (const nic of machine.nics) taps.push(openTap(nic.hostLink));
    const tapFds = taps.map((_, index) => FIRST_EXTRA_FD + index);
    const argv = renderCommandLine(machine, {
      tapFds,
      maximumCpus,
      counterKhz: await counterKhz(),
      foreign,
      asleep,
    });
    const config = renderJail(machine, paths, argv, files, coreSize());
    await writeFile(join(paths.bundle, 'config.json'), JSON.stringify(config), { mode: 0o600 });
    log = openSync(paths.qemuLog, 'w', 0o600);
    const pidFile = join(paths.bundle, 'pid');
    const { pid } = await runtime.create(paths.bundle, jailId(machine.id), {
      pidFile,
      extraFds: taps,
      outputFd: log,
    });
    await runtime.start(jailId(machine.id));
    return pid;
  } finally {
    for (const tap of taps) closeSync(tap);
    if (log !== undefined) closeSync(log);
  }
}

/** What the jail gets of the volume: what its command line names, and no more. */
function volumeFiles(
  machine: Machine,
  paths: MachinePaths,
  { foreign, asleep }: Pick<CommandLineOptions, 'foreign' | 'asleep'>,
): JailFile[] {
  const writable = (source: string, target: string): JailFile => ({ source, target, access: 'rw' });
  const hasRam = machine.template === true || asleep?.template === true;
  const files: JailFile[] = [
    writable(diskFile(machine), JAIL.disk),
    ...(foreign === undefined
      ? [{ source: paths.initramfs, target: JAIL.initramfs, access: 'ro' } as const]
      : []),
    ...(foreign?.firmware === 'uefi' ? [writable(paths.uefiVariables, JAIL.uefiVariables)] : []),
    ...(hasRam ? [writable(paths.ram, JAIL.ram)] : []),
  ];
  return files.map((file) => ({ ...file, source: plainFile(file.source) }));
}

function requireKernel({ image }: Machine): { readonly initramfs: string } {
  if (image.kernel !== undefined) return image.kernel;
  throw new MullionError('image_unfit', `The image ${image.id} has no kernel for a virtual machine.`);
}

async function prepareFirmware(machine: Machine, paths: MachinePaths): Promise<ForeignBoot> {
  const firmware = await chooseFirmware(machine);
  return { firmware, uefiCode: firmware === 'uefi' ? await prepareUefi(paths.uefiVariables) : undefined };
}

/** Bytes in the folder of sockets, which take none; a guest that has a screen has pictures of it written there. */
const SOCKET_ROOM = 64 * 1024;
const PICTURE_ROOM = 32 * MIB;
/** Descriptors that are handed to a process begin after the standard ones. */
const FIRST_EXTRA_FD = 3;

/** What QEMU wrote on its standard error, for the message of a failed start. */
export async function lastWords(machine: Machine): Promise<string> {
  const text = await readTail(machinePaths(machine).qemuLog, 8192).then(String, () => '');
  return text.slice(-2000).trim();
}

/**
 * The run folder may be passed through, as the jail's own user must reach its root; the sockets lie in a folder that
 * only that user and root can enter.
 */
async function makeFolders(
  machine: Machine,
  paths: MachinePaths,
  volumeFiles: readonly JailFile[],
): Promise<void> {
  const { base } = machine.ids;
  await mkdir(machine.runDirectory, { recursive: true });
  await chmod(machine.runDirectory, 0o711);
  makeSocketFolder(paths.sockets, base, isForeign(machine.image) ? PICTURE_ROOM : SOCKET_ROOM);
  await mkdir(machine.logDirectory, { recursive: true, mode: 0o700 });
  await startLog(paths.consoleLog, base);
  await mkdir(paths.root, { recursive: true, mode: 0o755 });
  await mkdir(paths.handover, { mode: 0o755 });
  const { directories, files, links } = rootTree(machine, volumeFiles);
  for (const directory of directories)
    await mkdir(join(paths.root, directory), { recursive: true, mode: 0o755 });
  for (const file of files) {
    await mkdir(join(paths.root, dirname(file)), { recursive: true, mode: 0o755 });
    await writeFile(join(paths.root, file), '');
  }
  for (const [link, target] of Object.entries(links)) await symlink(target, join(paths.root, link));
}

/** Forgets what a run left, and the run folder when nothing else is in it. */
export async function removeRun(machine: Machine): Promise<void> {
  const paths = machinePaths(machine);
  removeSocketFolder(paths.sockets);
  for (const path of [paths.bundle, `${paths.initramfs}.new`]) {
    await rm(path, { recursive: true, force: true });
  }
  // What others keep in it stays, and so does the folder then.
  await rmdir(machine.runDirectory).catch(() => undefined);
}

/** Machines of which a folder is left, also of a start that was cut short. */
export async function machinesWithJail(runDirectories: string): Promise<string[]> {
  const ids = await readdir(runDirectories).catch(() => []);
  return ids.filter((id) => existsSync(join(runDirectories, id, BUNDLE)));
}
