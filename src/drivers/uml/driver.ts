import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry, ImagePart } from '../../contract/resources.ts';
import type { ExecRequest, Window } from '../../contract/streams.ts';
import type { Features, Technique, TechniqueReport } from '../../contract/techniques.ts';
import { cacheDirectory, type Naming, ociStateDirectory, vpsRunDirectory } from '../../core/naming.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { OciRuntime } from '../../host/oci/runtime.ts';
import { signalProcess, waitForExit, watchExit } from '../../host/processes.ts';
import { openTap } from '../../host/tap.ts';
import type {
  Condition,
  ConsoleAbility,
  ConsoleStream,
  DiskRatesAbility,
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
  PauseAbility,
  Prepared,
  StallAbility,
} from '../driver.ts';
import { execStart, freeze, thaw } from '../guest-agent/agent-commands.ts';
import { askAgentToEnd, askUntilEnded } from '../guest-agent/asked-to-end.ts';
import { listFiles, pullFile, pushFile } from '../guest-agent/guest-files.ts';
import { limitThreads } from '../guest-agent/guest-limits.ts';
import { countProcesses } from '../guest-agent/guest-usage.ts';
import { populateDisk } from '../guest-disk/disk.ts';
import { openConsole } from '../monitored-console/console.ts';
import { tailLog } from '../monitored-console/log-tail.ts';
import { Connections } from './connections.ts';
import { waitForEnd } from './end.ts';
import { FEATURES } from './features.ts';
import { growDisk } from './grow-disk.ts';
import { jailProcesses } from './jail.ts';
import { alive, type MachineDependencies, Machines } from './machines.ts';
import { askKernel, holdStill, letRun } from './mconsole.ts';
import { machinePaths } from './paths.ts';
import { probeUml } from './probe.ts';
import { STALL } from './stall.ts';

const PING_MS = 2_000;

export interface UmlOptions extends MachineDependencies {
  /** File in which the probe's verdict is kept. */
  readonly probeCache: string;
}

/** As the daemon makes it. */
export function createUmlDriver(deps: { readonly naming: Naming; readonly cgroups: Cgroups }): UmlDriver {
  const { naming, cgroups } = deps;
  return new UmlDriver({
    runtime: new OciRuntime({ stateDirectory: ociStateDirectory(naming), layout: cgroups.layout }),
    openTap,
    cgroups,
    runDirectories: dirname(vpsRunDirectory(naming, 'any')),
    probeCache: join(cacheDirectory(naming), 'uml-probe.json'),
  });
}

/** A Linux kernel as an ordinary process of the host: User-Mode Linux. */
export class UmlDriver implements Driver {
  readonly name = 'uml';
  readonly techniques = ['kernel'] as const;
  readonly #options: UmlOptions;
  readonly #machines: Machines;
  readonly #connections = new Map<string, Connections>();
  /** Processes of guests that end a rest which lasts too long. */
  readonly #guards = new Map<string, number>();

  constructor(options: UmlOptions) {
    this.#options = options;
    this.#machines = new Machines(options);
  }

  /** The kernel is the host's program; what the image's brings along is its initial file system. */
  needs(_technique: Technique): readonly ImagePart[] {
    return ['disk', 'kernel'];
  }

  features(_technique: Technique): Features {
    // How the disk is opened is decided at the start.
    return { ...FEATURES, liveDiskRates: this.#options.cgroups.countsBufferedWrites };
  }

  probe(_technique: Technique, anew = false): Promise<TechniqueReport> {
    return probeUml(this.#options.probeCache, anew);
  }

  populate(machine: Machine): Promise<void> {
    return populateDisk(machine);
  }

  async prepare(machine: Machine): Promise<Prepared> {
    this.#forget(machine);
    const handle = await this.#machines.make(machine);
    this.#options.cgroups.setLimits(machine.cgroup, { cpus: machine.limits.cpus });
    const nic = machine.nics[0];
    return { handle, link: nic === undefined ? { kind: 'none' } : { kind: 'tap', hostLink: nic.hostLink } };
  }

  start(machine: Machine, handle: Handle): Promise<void> {
    return this.#machines.start(machine, handle);
  }

  async shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean> {
    if (!alive(handle)) return true;
    if (!(await this.#machines.hasStarted(machine))) {
      signalProcess(handle.pid, handle.pidStart, 'SIGKILL');
      return waitForExit(handle.pid, handle.pidStart, timeoutMs);
    }
    await this.#resume(machine).catch(() => undefined);
    const { agent } = this.#connected(machine);
    return askUntilEnded(handle, timeoutMs, (asked, leftMs) =>
      asked === 0 ? askAgentToEnd(agent, leftMs) : askKernel(machine, 'cad'),
    );
  }

  remove(machine: Machine, handle: Handle | undefined): Promise<void> {
    this.#forget(machine);
    return this.#machines.remove(machine, handle);
  }

  /** Whether it stands still cannot be asked; where it may, it is told to, which one that does so does not mind. */
  async recover(machine: Machine, handle: Handle): Promise<Condition> {
    if (!alive(handle)) return 'gone';
    if (!(await this.#machines.hasStarted(machine))) return 'prepared';
    if (!existsSync(machinePaths(machine).pausing)) return 'running';
    await holdStill(machine);
    return 'paused';
  }

  onExit(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void {
    let listening = true;
    const tell = async (): Promise<void> => {
      this.#forget(machine);
      const end = await waitForEnd(machinePaths(machine), () => this.#machines.isMonitored(machine));
      if (listening) listener(end);
    };
    const stop = watchExit(handle.pid, handle.pidStart, () => void tell());
    return () => {
      listening = false;
      stop();
    };
  }

  async usage(machine: Machine, handle: Handle): Promise<DriverUsage> {
    const { cpuSeconds, memory } = this.#options.cgroups.usage(machine.cgroup);
    const processes = alive(handle) ? await countProcesses(this.#connected(machine).agent) : undefined;
    return { cpuSeconds, memory, processes };
  }

  /** Processes of the host are threads of the monitor, not the guest's. */
  meters({ cgroup }: Machine): DriverMeters {
    return { ...this.#options.cgroups.meters(cgroup), processes: undefined };
  }

  leftovers(): Promise<string[]> {
    return this.#machines.leftovers();
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
    openConsole: async (machine: Machine, handle: Handle, window?: Window): Promise<ConsoleStream> => {
      requireAlive(handle);
      // The guest learns the window's size when it opens its console the next time.
      return openConsole(machinePaths(machine), window, () => this.#machines.isMonitored(machine));
    },
  };

  readonly logs: LogsAbility = {
    readLogs: async (machine, { follow, lines, signal }) => {
      const isLive = (): boolean => this.#machines.isMonitored(machine);
      const shown = tailLog(machinePaths(machine).log, { follow, lines, signal, isLive });
      return Readable.from(shown, { objectMode: false });
    },
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
      await writeFile(machinePaths(machine).pausing, '');
      await holdStill(machine);
    },
    resume: async (machine, handle) => {
      requireAlive(handle);
      await this.#resume(machine);
    },
  };

  readonly stall: StallAbility = STALL;

  readonly limits: LimitsAbility = {
    setLimits: async (machine, handle, limits) => {
      requireAlive(handle);
      this.#options.cgroups.setLimits(machine.cgroup, { cpus: limits.cpus, pids: jailProcesses(limits) });
      const { agent } = this.#connected(machine);
      await growDisk(machine, handle, agent, limits.disk);
      await limitThreads(agent, limits);
    },
  };

  readonly diskRates: DiskRatesAbility = {
    setDiskRates: async (machine, handle, rates) => {
      requireAlive(handle);
      this.#options.cgroups.setDiskRates(machine.cgroup, machine.volume, rates);
    },
  };

  readonly health: HealthAbility = {
    agent: { hasAnswered: ({ id }) => this.#connections.get(id)?.agent.hasAnswered === true },
    isReady: async (machine, handle) => {
      if (!alive(handle) || !(await this.#machines.hasStarted(machine))) return false;
      return this.#connected(machine).isAnswering(PING_MS);
    },
  };

  readonly freeze: FreezeAbility = {
    freeze: async (machine, handle, limitMs) => {
      requireAlive(handle);
      this.#guards.set(machine.id, await freeze(this.#connected(machine).agent, limitMs));
    },
    thaw: async (machine, handle) => {
      requireAlive(handle);
      const { agent } = this.#connected(machine);
      const count = await thaw(agent);
      const guard = this.#guards.get(machine.id);
      this.#guards.delete(machine.id);
      // It would cut the next rest short.
      if (guard !== undefined) await execStart(agent, ['/bin/sh', '-c', `kill ${guard}`], { capture: false });
      return count > 0;
    },
  };

  #connected(machine: Machine): Connections {
    const known = this.#connections.get(machine.id);
    if (known !== undefined) return known;
    const connections = new Connections(machine);
    this.#connections.set(machine.id, connections);
    return connections;
  }

  #forget(machine: Machine): void {
    this.#connections.get(machine.id)?.close();
    this.#connections.delete(machine.id);
  }

  async #resume(machine: Machine): Promise<void> {
    await letRun(machine);
    await rm(machinePaths(machine).pausing, { force: true });
  }

  async #exec(machine: Machine, handle: Handle, request: ExecRequest): Promise<ExecSession> {
    requireAlive(handle);
    return this.#connected(machine).commands.exec(machine.env, request);
  }

  #executor(machine: Machine, handle: Handle) {
    return (argv: readonly [string, ...string[]]): Promise<ExecSession> =>
      this.#exec(machine, handle, { argv: [...argv], env: {}, tty: false });
  }
}

function requireAlive(handle: Handle): void {
  if (!alive(handle)) throw new MullionError('wrong_state', 'The VPS does not run.');
}
