import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import { hasDiskRates } from '../../contract/rates.ts';
import type { FileEntry, ImagePart } from '../../contract/resources.ts';
import type { ExecRequest } from '../../contract/streams.ts';
import type { Features, Technique, TechniqueReport } from '../../contract/techniques.ts';
import type { Limits } from '../../contract/vps.ts';
import { bootsItself } from '../../core/boot-parts.ts';
import { cacheDirectory, type Naming, ociStateDirectory, vpsRunDirectory } from '../../core/naming.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { hostFacts } from '../../host/facts.ts';
import { OciRuntime } from '../../host/oci/runtime.ts';
import { isAlive, processStart, watchExit } from '../../host/processes.ts';
import { openTap } from '../../host/tap.ts';
import { keepBounded, readLog } from '../console/console-log.ts';
import type {
  Condition,
  ConsoleAbility,
  DiskRatesAbility,
  DisplayAbility,
  Driver,
  DriverMeters,
  DriverUsage,
  ExecAbility,
  ExecSession,
  FilesAbility,
  FreezeAbility,
  Handle,
  HealthAbility,
  LimitsAbility,
  LogsAbility,
  Machine,
  MachineEnd,
  MemoryAbility,
  PauseAbility,
  Prepared,
  StallAbility,
  WarmAbility,
} from '../driver.ts';
import { askAgentToEnd, askUntilEnded } from '../guest-agent/asked-to-end.ts';
import { listFiles, pullFile, pushFile } from '../guest-agent/guest-files.ts';
import { limitThreads } from '../guest-agent/guest-limits.ts';
import { GuestRest } from '../guest-agent/guest-rest.ts';
import { countProcesses } from '../guest-agent/guest-usage.ts';
import { execByShell } from '../guest-agent/shell-exec.ts';
import { growDiskFile, populateDisk } from '../guest-disk/disk.ts';
import { settleClock } from './awakening.ts';
import { Connections } from './connections.ts';
import { endFromLog } from './end.ts';
import { FEATURES, FOREIGN_FEATURES } from './features.ts';
import { populateForeign } from './foreign/disk.ts';
import { FOREIGN, isForeign, NEEDS } from './foreign/image.ts';
import { takeScreenshot } from './foreign/screen.ts';
import { extraCpus } from './jail.ts';
import { growDisk, plugProcessors, throttleDisk } from './live-limits.ts';
import { MachineMemory } from './machine-memory.ts';
import { machinePaths, SOCKET } from './paths.ts';
import {
  type JailDependencies,
  jailId,
  lastWords,
  machineOfJail,
  machinesWithJail,
  removeRun,
  startJail,
} from './prepare.ts';
import { probeTechnique } from './probe.ts';
import { endAtOnce, holdStill, isOutOfRoom, pressPowerButton, queryCondition } from './run-state.ts';
import { translateAsUsual } from './translation-room.ts';

const PING_MS = 2_000;

export interface QemuOptions extends JailDependencies {
  readonly cgroups: Cgroups;
  /** Folder that holds the run folder of every VPS, named by its id. */
  readonly runDirectories: string;
  /** File in which the probes' verdicts are kept. */
  readonly probeCache: string;
}

/** As the daemon makes it. */
export function createQemuDriver(deps: { readonly naming: Naming; readonly cgroups: Cgroups }): QemuDriver {
  const { naming, cgroups } = deps;
  return new QemuDriver({
    runtime: new OciRuntime({ stateDirectory: ociStateDirectory(naming), layout: cgroups.layout }),
    openTap,
    maximumCpus: hostFacts().cpus,
    cgroups,
    runDirectories: dirname(vpsRunDirectory(naming, 'any')),
    probeCache: join(cacheDirectory(naming), 'qemu-probe.json'),
  });
}

/** Virtual machines by QEMU: `full` emulates the processor, `hardware` uses the host's own. */
export class QemuDriver implements Driver {
  readonly name = 'qemu';
  readonly techniques = ['full', 'hardware'] as const;
  readonly #options: QemuOptions;
  readonly #connections = new Map<string, Connections>();
  readonly #rest = new GuestRest();
  readonly #memory = new MachineMemory((machine) => this.#connected(machine));

  constructor(options: QemuOptions) {
    this.#options = options;
  }

  needs(_technique: Technique): readonly ImagePart[] {
    return NEEDS;
  }

  foreign(_technique: Technique): readonly ImagePart[] {
    return FOREIGN;
  }

  features(_technique: Technique, parts?: readonly ImagePart[]): Features {
    if (parts === undefined) return { ...FEATURES, display: true };
    return bootsItself({ needs: NEEDS, foreign: FOREIGN }, parts) ? FOREIGN_FEATURES : FEATURES;
  }

  probe(technique: Technique, anew = false): Promise<TechniqueReport> {
    return probeTechnique(technique, this.#options.probeCache, anew);
  }

  populate(machine: Machine): Promise<void> {
    return isForeign(machine.image) ? populateForeign(machine) : populateDisk(machine);
  }

  async prepare(machine: Machine): Promise<Prepared> {
    await this.remove(machine, undefined);
    try {
      const pid = await startJail(machine, this.#options, await this.#memory.fitting(machine));
      const pidStart = processStart(pid);
      if (pidStart === undefined) throw new MullionError('start_failed', 'QEMU ended at once.');
      const monitor = await this.#connected(machine).monitor();
      const condition = await queryCondition(monitor);
      if (condition !== 'prepared')
        throw new MullionError('start_failed', `QEMU is ${condition} before its start.`);
      this.#weigh(machine, machine.limits);
      if (hasDiskRates(machine.limits)) await throttleDisk(monitor, machine.limits);
      const nic = machine.nics[0];
      return {
        handle: { pid, pidStart, data: {} },
        link: nic === undefined ? { kind: 'none' } : { kind: 'tap', hostLink: nic.hostLink },
      };
    } catch (cause) {
      const words = await lastWords(machine);
      await this.remove(machine, undefined);
      if (cause instanceof MullionError && words === '') throw cause;
      const last = words.split('\n').at(-1) ?? '';
      throw new MullionError('start_failed', `QEMU did not start: ${last || String(cause)}`, {
        details: { output: words },
        cause,
      });
    }
  }

  async start(machine: Machine, handle: Handle): Promise<void> {
    requireAlive(handle);
    const monitor = await this.#connected(machine).monitor();
    if ((await this.#memory.condition(machine)) === 'prepared') await this.#memory.start(machine, monitor);
  }

  async shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean> {
    const ask = (asked: number, leftMs: number) => this.#askToEnd(machine, asked, leftMs);
    return isForeign(machine.image)
      ? askUntilEnded(handle, timeoutMs, ask, timeoutMs / 2)
      : askUntilEnded(handle, timeoutMs, ask);
  }

  async remove(machine: Machine, _handle: Handle | undefined): Promise<void> {
    this.#connections.get(machine.id)?.close();
    this.#connections.delete(machine.id);
    await this.#options.runtime.delete(jailId(machine.id), { force: true });
    await this.#options.cgroups.killAll(machine.cgroup);
    await this.#options.cgroups.remove(machine.cgroup);
    await removeRun(machine);
  }

  async recover(machine: Machine, handle: Handle): Promise<Condition> {
    if (!alive(handle)) return 'gone';
    try {
      const condition = await this.#memory.condition(machine);
      await translateAsUsual(machine, () => this.#connected(machine).monitor());
      return condition;
    } catch (cause) {
      if (!alive(handle)) return 'gone';
      throw cause;
    }
  }

  onExit(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void {
    let listening = true;
    const { consoleLog, qemuLog } = machinePaths(machine);
    const letGrow = keepBounded([consoleLog, qemuLog]);
    const tell = async (): Promise<void> => {
      letGrow();
      const connections = this.#connections.get(machine.id);
      connections?.close();
      this.#connections.delete(machine.id);
      const end = connections?.end ?? (await endFromLog(qemuLog));
      if (listening) listener(end);
    };
    const stop = watchExit(handle.pid, handle.pidStart, () => void tell());
    return () => {
      listening = false;
      letGrow();
      stop();
    };
  }

  async usage(machine: Machine, handle: Handle): Promise<DriverUsage> {
    const { cpuSeconds, memory } = this.#options.cgroups.usage(machine.cgroup);
    const heard = alive(handle) && !isForeign(machine.image);
    const processes = heard ? await countProcesses(this.#connected(machine).agent) : undefined;
    return { cpuSeconds, memory, processes };
  }

  /** Processes of the host are threads of the monitor, not the guest's. */
  meters({ cgroup }: Machine): DriverMeters {
    return { ...this.#options.cgroups.meters(cgroup), processes: undefined };
  }

  async leftovers(): Promise<string[]> {
    const recorded = (await this.#options.runtime.list()).flatMap((id) => machineOfJail(id) ?? []);
    const begun = await machinesWithJail(this.#options.runDirectories);
    return [...new Set([...recorded, ...begun])].sort();
  }

  /** Closes every connection; the machines go on. */
  close(): void {
    for (const connections of this.#connections.values()) connections.close();
    this.#connections.clear();
  }

  readonly exec: ExecAbility = {
    exec: (machine, handle, request) => this.#exec(machine, handle, request),
  };

  readonly console: ConsoleAbility = {
    openConsole: (machine, handle): Promise<Duplex> => {
      requireAlive(handle);
      return this.#connected(machine).console.attach();
    },
  };

  readonly logs: LogsAbility = {
    readLogs: async (machine, options): Promise<Readable> =>
      readLog(machinePaths(machine).consoleLog, { ...options, isLive: () => this.#isLive(machine) }),
  };

  readonly files: FilesAbility = {
    pull: (machine, handle, path) => pullFile(this.#executor(machine, handle), path),
    push: (machine, handle, path, content, mode) =>
      pushFile(this.#executor(machine, handle), path, content, mode),
    list: (machine, handle, path): Promise<FileEntry[]> => listFiles(this.#executor(machine, handle), path),
  };

  readonly pause: PauseAbility = {
    pause: async (machine, handle) => {
      requireAlive(handle);
      const monitor = await this.#connected(machine).monitor();
      if ((await queryCondition(monitor)) === 'running') await holdStill(monitor);
    },
    resume: async (machine, handle) => {
      requireAlive(handle);
      const monitor = await this.#connected(machine).monitor();
      if ((await queryCondition(monitor)) === 'paused') await this.#memory.goOn(machine, monitor);
    },
  };

  readonly stall: StallAbility = {
    isStalled: async (machine, handle) =>
      alive(handle) && isOutOfRoom(await this.#connected(machine).monitor()),
    onStall: (machine, _handle, listener) => this.#connected(machine).onStop(listener),
    retry: async (machine, handle) => {
      requireAlive(handle);
      const monitor = await this.#connected(machine).monitor();
      if (await isOutOfRoom(monitor)) await this.#memory.goOn(machine, monitor);
    },
  };

  readonly limits: LimitsAbility = {
    setLimits: (machine, handle, limits) => this.#setLimits(machine, handle, limits),
  };

  readonly diskRates: DiskRatesAbility = {
    setDiskRates: async (machine, handle, rates) => {
      requireAlive(handle);
      await throttleDisk(await this.#connected(machine).monitor(), rates);
    },
  };

  readonly health: HealthAbility = {
    agent: { hasAnswered: ({ id }) => this.#connections.get(id)?.agent.hasAnswered === true },
    isReady: async (machine, handle) => {
      if (!alive(handle) || isForeign(machine.image)) return false;
      const connections = this.#connected(machine);
      if (!(await connections.isAnswering(PING_MS))) return false;
      await settleClock(machine, connections.agent);
      return true;
    },
  };

  readonly freeze: FreezeAbility = {
    freeze: async (machine, handle, limitMs) => {
      requireAlive(handle);
      await this.#rest.freeze(machine.id, this.#connected(machine).agent, limitMs);
    },
    thaw: async (machine, handle) => {
      requireAlive(handle);
      return this.#rest.thaw(machine.id, this.#connected(machine).agent);
    },
  };

  readonly display: DisplayAbility = {
    screenshot: async (machine, handle) => {
      requireAlive(handle);
      return takeScreenshot(machine, await this.#connected(machine).monitor());
    },
    openDisplay: async (machine, handle) => {
      requireAlive(handle);
      return this.#connected(machine).connect(SOCKET.display);
    },
  };

  get memory(): MemoryAbility {
    return this.#memory;
  }

  get warm(): WarmAbility {
    return this.#memory;
  }

  #connected(machine: Machine): Connections {
    const known = this.#connections.get(machine.id);
    if (known !== undefined) return known;
    const connections = new Connections(machine);
    this.#connections.set(machine.id, connections);
    return connections;
  }

  async #exec(machine: Machine, handle: Handle, request: ExecRequest): Promise<ExecSession> {
    requireAlive(handle);
    const { agent, ports, commands } = this.#connected(machine);
    try {
      return await commands.exec(machine.env, request);
    } catch (failure) {
      if (!(failure instanceof MullionError) || failure.code !== 'command_failed') throw failure;
      return execByShell(agent, ports, machine.env, request);
    }
  }

  #executor(machine: Machine, handle: Handle) {
    return (argv: readonly [string, ...string[]]): Promise<ExecSession> =>
      this.#exec(machine, handle, { argv: [...argv], env: {}, tty: false });
  }

  async #setLimits(machine: Machine, handle: Handle, limits: Limits): Promise<void> {
    requireAlive(handle);
    const connections = this.#connected(machine);
    const monitor = await connections.monitor();
    const own = !isForeign(machine.image);
    if (own) await plugProcessors(machine, monitor, connections.agent, limits.cpus);
    this.#weigh(machine, limits);
    const disk = await growDiskFile(machine, limits.disk);
    if (disk.hasGrown) await growDisk(monitor, own ? connections.agent : undefined, disk.size);
    if (own) await limitThreads(connections.agent, limits);
  }

  #weigh({ cgroup }: Machine, limits: Limits): void {
    this.#options.cgroups.setLimits(cgroup, { cpus: limits.cpus, extraCpus: extraCpus(limits) });
  }

  /** By the guest's agent, or else, and whenever it is asked again, by the power button. */
  async #askToEnd(machine: Machine, asked: number, leftMs: number): Promise<void> {
    const connections = this.#connected(machine);
    const monitor = await connections.monitor();
    const condition = await queryCondition(monitor);
    if (condition === 'prepared') return endAtOnce(monitor);
    if (condition === 'paused') await this.#memory.goOn(machine, monitor);
    if (isForeign(machine.image)) return pressPowerButton(monitor);
    if (asked > 0) await pressPowerButton(monitor);
    try {
      await askAgentToEnd(connections.agent, leftMs);
    } catch (cause) {
      if (asked > 0) throw cause;
      await pressPowerButton(monitor);
    }
  }

  /** Whether something may still write on the machine's console. */
  async #isLive(machine: Machine): Promise<boolean> {
    return this.#options.cgroups.processes(machine.cgroup).length > 0;
  }
}

const alive = ({ pid, pidStart }: Handle): boolean => isAlive(pid, pidStart);

function requireAlive(handle: Handle): void {
  if (!alive(handle)) throw new MullionError('wrong_state', 'The VPS does not run.');
}
