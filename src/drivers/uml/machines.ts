import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { type DiskRates, hasDiskRates } from '../../contract/rates.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { makeFifo, openFifo } from '../../host/fifo.ts';
import { programOf } from '../../host/guest-init.ts';
import { coreSize } from '../../host/oci/core-files.ts';
import type { OciRuntime } from '../../host/oci/runtime.ts';
import { isAlive, processStart, signalProcess, waitForExit } from '../../host/processes.ts';
import type { TapOptions } from '../../host/tap.ts';
import type { Handle, Machine } from '../driver.ts';
import { growDiskFile } from '../guest-disk/disk.ts';
import { renderProvision, writeInitramfs } from '../guest-disk/initramfs.ts';
import { makeSocketFolder, removeSocketFolder } from '../jail/jail-files.ts';
import { identityFiles } from '../provision/identity.ts';
import { type Descriptors, renderCommandLine } from './command-line.ts';
import { renderJail, rootTree } from './jail.ts';
import { AGENT_LINE, PIPE_LINES } from './lines.ts';
import { BUNDLE, jailId, linePipes, type MachinePaths, machineOfJail, machinePaths } from './paths.ts';
import { preload } from './preload.ts';
import { bootFiles, machineFiles } from './provision.ts';

/** How long conmon may take to end after its container. */
const MONITOR_MS = 2_000;
const KILLED_MS = 10_000;
const START_MS = 5_000;
/** Bytes in the folder of sockets: the kernel writes its pid there. */
const SOCKET_ROOM = 64 * 1024;
/** Descriptors that are handed to a process begin after the standard ones. */
const FIRST_EXTRA_FD = 3;

export interface MachineDependencies {
  readonly runtime: OciRuntime;
  readonly cgroups: Cgroups;
  /** A descriptor of the tap of this name, which the caller closes. */
  readonly openTap: (name: string, options: TapOptions) => number;
  /** Folder that holds the run folder of every VPS, named by its id. */
  readonly runDirectories: string;
}

export const alive = ({ pid, pidStart }: Handle): boolean => isAlive(pid, pidStart);

/** What is left to the page cache is nobody's on cgroup v1: there the process writes at once what is to be limited. */
const limitsWrites = ({ diskWriteRate, diskWriteOps }: DiskRates): boolean =>
  diskWriteRate > 0 || diskWriteOps > 0;

/** Makes, starts, finds again and removes jails with User-Mode Linux. What it knows is on disk alone. */
export class Machines {
  readonly #dependencies: MachineDependencies;

  constructor(dependencies: MachineDependencies) {
    this.#dependencies = dependencies;
  }

  /** A jail whose process waits before the program. */
  async make(machine: Machine): Promise<Handle> {
    await this.remove(machine, undefined);
    const { kernel } = machine.image;
    if (kernel === undefined) {
      throw new MullionError('image_unfit', `The image ${machine.image.id} has no initial file system.`);
    }
    const paths = machinePaths(machine);
    const { cgroups } = this.#dependencies;
    const opened: number[] = [];
    try {
      makeFolders(machine, paths);
      const { size } = await growDiskFile(machine, machine.limits.disk);
      const files = [...identityFiles(machine), ...machineFiles(machine)];
      const provision = renderProvision(files, new Date(), bootFiles());
      await writeInitramfs(kernel.initramfs, paths.initramfs, provision);
      const descriptors = this.#open(machine, paths, opened);
      const argv = renderCommandLine(machine, paths.sockets, descriptors, {
        size,
        syncDisk: limitsWrites(machine.limits) && !cgroups.countsBufferedWrites,
      });
      writeFileSync(paths.config, JSON.stringify(renderJail(machine, paths, argv, coreSize())), {
        mode: 0o600,
      });
      const { pid } = await this.#dependencies.runtime.create(paths.bundle, jailId(machine.id), {
        pidFile: paths.pidFile,
        monitor: {
          name: machine.name,
          log: paths.log,
          exitDirectory: paths.exitDirectory,
          pidFile: paths.monitorPidFile,
        },
        extraFds: opened,
      });
      if (hasDiskRates(machine.limits)) {
        cgroups.setDiskRates(machine.cgroup, machine.volume, machine.limits);
      }
      const pidStart = processStart(pid);
      if (pidStart === undefined) throw new MullionError('start_failed', 'User-Mode Linux ended at once.');
      return { pid, pidStart, data: { partitioned: true } };
    } catch (failure) {
      await this.remove(machine, undefined);
      throw failure;
    } finally {
      for (const fd of opened) closeSync(fd);
    }
  }

  /** Opens all that the process gets, in the order in which it will find it; `opened` has each at once. */
  #open(machine: Machine, paths: MachinePaths, opened: number[]): Descriptors {
    const handDown = (fd: number): number => FIRST_EXTRA_FD + opened.push(fd) - 1;
    const lines = new Map<number, { input: number; output: number }>();
    for (const line of PIPE_LINES) {
      const { input, output } = linePipes(paths, line);
      makeFifo(input);
      makeFifo(output);
      lines.set(line, {
        // The agent's line outlasts the daemon; one that carries a command is hung up with its last writer.
        input: handDown(openFifo(input, line === AGENT_LINE ? 'both' : 'read')),
        output: handDown(openFifo(output, 'both')),
      });
    }
    const taps = machine.nics.map((nic) =>
      handDown(this.#dependencies.openTap(nic.hostLink, { headers: false })),
    );
    return { lines, taps };
  }

  async start(machine: Machine, handle: Handle): Promise<void> {
    if (!alive(handle))
      throw new MullionError('start_failed', `User-Mode Linux of ${machine.name} has ended.`);
    if (await this.hasStarted(machine)) return;
    const paths = machinePaths(machine);
    const waiting = programOf(handle.pid);
    writeFileSync(paths.starting, '');
    await this.#dependencies.runtime.start(jailId(machine.id));
    // crun's process becomes the program a little after crun was told so.
    const deadline = performance.now() + START_MS;
    while (alive(handle) && programOf(handle.pid) === waiting && performance.now() < deadline) await sleep(1);
    writeFileSync(paths.started, '');
  }

  /** Between the two marks of a start that was cut short, only crun knows. */
  async hasStarted(machine: Machine): Promise<boolean> {
    const paths = machinePaths(machine);
    if (existsSync(paths.started)) return true;
    if (!existsSync(paths.starting)) return false;
    return (await this.#dependencies.runtime.state(jailId(machine.id))) === 'running';
  }

  /** Whether something may still be written to the console's log. */
  isMonitored(machine: Machine): boolean {
    return monitorOf(machinePaths(machine)) !== undefined;
  }

  /** Afterwards the host holds nothing of it, in whatever state it was. */
  async remove(machine: Machine, handle: Handle | undefined): Promise<void> {
    const { cgroups, runtime } = this.#dependencies;
    const paths = machinePaths(machine);
    const monitor = monitorOf(paths);
    await cgroups.killAll(machine.cgroup);
    if (handle !== undefined && signalProcess(handle.pid, handle.pidStart, 'SIGKILL')) {
      await waitForExit(handle.pid, handle.pidStart, KILLED_MS);
    }
    if (monitor !== undefined && !(await waitForExit(monitor.pid, monitor.start, MONITOR_MS))) {
      signalProcess(monitor.pid, monitor.start, 'SIGKILL');
    }
    await runtime.delete(jailId(machine.id), { force: true });
    await cgroups.killAll(machine.cgroup);
    await cgroups.remove(machine.cgroup);
    removeSocketFolder(paths.sockets);
    for (const path of [paths.bundle, `${paths.initramfs}.new`]) {
      await rm(path, { recursive: true, force: true });
    }
    // What others keep in it stays, and so does the folder then.
    await rmdir(machine.runDirectory).catch(() => undefined);
  }

  async leftovers(): Promise<string[]> {
    const { runtime, runDirectories } = this.#dependencies;
    const recorded = (await runtime.list()).flatMap((id) => machineOfJail(id) ?? []);
    const folders = await readdir(runDirectories).catch((): string[] => []);
    const begun = folders.filter((id) => existsSync(join(runDirectories, id, BUNDLE)));
    return [...new Set([...recorded, ...begun])].sort();
  }
}

function monitorOf(paths: MachinePaths): { pid: number; start: number } | undefined {
  if (!existsSync(paths.monitorPidFile)) return undefined;
  const pid = Number(readFileSync(paths.monitorPidFile, 'utf8'));
  const start = processStart(pid);
  return start === undefined || programOf(pid) !== 'conmon' ? undefined : { pid, start };
}

/** The run folder may be passed through: the jail's own user must reach its root and its sockets. */
function makeFolders(machine: Machine, paths: MachinePaths): void {
  const { base } = machine.ids;
  mkdirSync(paths.exitDirectory, { recursive: true });
  for (const path of [machine.runDirectory, paths.bundle]) chmodSync(path, 0o711);
  mkdirSync(paths.lines, { mode: 0o700 });
  makeSocketFolder(paths.sockets, base, SOCKET_ROOM);
  mkdirSync(machine.logDirectory, { recursive: true, mode: 0o700 });
  writeFileSync(paths.preload, preload(), { mode: 0o644 });
  const { directories, files, links } = rootTree(paths);
  for (const directory of directories)
    mkdirSync(join(paths.root, directory), { recursive: true, mode: 0o755 });
  for (const file of files) {
    mkdirSync(join(paths.root, dirname(file)), { recursive: true, mode: 0o755 });
    writeFileSync(join(paths.root, file), '');
  }
  for (const [link, target] of Object.entries(links)) symlinkSync(target, join(paths.root, link));
}
