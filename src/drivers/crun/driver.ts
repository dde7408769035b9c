import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry, ImagePart } from '../../contract/resources.ts';
import type { ExecRequest, Window } from '../../contract/streams.ts';
import type { Features, Technique, TechniqueReport } from '../../contract/techniques.ts';
import type { Limits } from '../../contract/vps.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { programOf } from '../../host/guest-init.ts';
import { signalProcess, waitForExit, watchExit } from '../../host/processes.ts';
import { listensFor } from '../../host/signal-readiness.ts';
import { hasCode } from '../../host/system-error.ts';
import type {
  Condition,
  Connect,
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
} from '../driver.ts';
import { type Execute, listFiles, pullFile, pushFile } from '../guest-agent/guest-files.ts';
import { openConsole } from '../monitored-console/console.ts';
import { tailLog } from '../monitored-console/log-tail.ts';
import { readAccounts } from './accounts.ts';
import { type ContainerDependencies, Containers } from './containers.ts';
import { execInContainer } from './exec.ts';
import { FEATURES } from './features.ts';
import { isSystemd, shutdownSignal } from './init.ts';
import { containerPaths } from './paths.ts';
import { probeContainers } from './probe.ts';
import { ASK_STATE, saysReady } from './readiness.ts';
import { individualizeRoot, populateRoot } from './root.ts';
import { alive, isMonitored, waitForEnd } from './state.ts';
import { ROOT, resolveUser } from './users.ts';

/** A first process that listens for nothing may still be one that does not care. */
const LISTEN_MS = 5_000;
const LISTEN_PAUSE_MS = 20;

export const createCrunDriver = (dependencies: ContainerDependencies): Driver => new CrunDriver(dependencies);

/** System containers on the host's kernel by crun, each below a conmon that holds its console. */
class CrunDriver implements Driver {
  readonly name = 'crun';
  readonly techniques = ['os'] as const;
  readonly #dependencies: ContainerDependencies;
  readonly #cgroups: Cgroups;
  readonly #containers: Containers;

  constructor(dependencies: ContainerDependencies) {
    this.#dependencies = dependencies;
    this.#cgroups = dependencies.cgroups;
    this.#containers = new Containers(dependencies);
  }

  needs(_technique: Technique): readonly ImagePart[] {
    return ['rootfs'];
  }

  features(_technique: Technique): Features {
    return FEATURES;
  }

  probe(_technique: Technique): Promise<TechniqueReport> {
    return probeContainers({ ...this.#dependencies, runtime: this.#containers.runtime });
  }

  async populate(machine: Machine): Promise<void> {
    populateRoot({ image: rootfsOf(machine), volume: machine.volume });
  }

  async individualize(machine: Machine): Promise<void> {
    individualizeRoot(machine.volume);
  }

  async prepare(machine: Machine, connect?: Connect): Promise<Prepared> {
    const handle = await this.#containers.make(machine, rootfsOf(machine), connect);
    return { handle, link: { kind: 'netns', pid: handle.pid } };
  }

  start(machine: Machine, handle: Handle): Promise<void> {
    return this.#containers.start(machine, handle);
  }

  async shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean> {
    if (!alive(handle)) return true;
    const deadline = performance.now() + timeoutMs;
    let signal: number | NodeJS.Signals = 'SIGKILL';
    if (await this.#containers.hasStarted(machine)) {
      if (this.#cgroups.isFrozen(machine.cgroup)) await this.#cgroups.thaw(machine.cgroup);
      signal = await this.#whenListening(machine, handle, Math.min(timeoutMs, LISTEN_MS));
    }
    signalProcess(handle.pid, handle.pidStart, signal);
    return waitForExit(handle.pid, handle.pidStart, Math.max(0, deadline - performance.now()));
  }

  /** The signal that ends it, once its first process would hear it: one that has just begun does not yet. */
  async #whenListening({ image }: Machine, handle: Handle, waitMs: number): Promise<number | NodeJS.Signals> {
    const deadline = performance.now() + waitMs;
    for (;;) {
      const signal = image.program?.stopSignal ?? shutdownSignal(programOf(handle.pid));
      const isEnough = !alive(handle) || listensFor(handle.pid, signal) || performance.now() > deadline;
      if (isEnough) return signal;
      await sleep(LISTEN_PAUSE_MS);
    }
  }

  remove(machine: Machine, handle: Handle | undefined): Promise<void> {
    return this.#containers.remove(machine, handle);
  }

  async recover(machine: Machine, handle: Handle): Promise<Condition> {
    if (!alive(handle)) return 'gone';
    await this.#containers.adopt(machine, handle);
    if (!(await this.#containers.hasStarted(machine))) return 'prepared';
    return this.#cgroups.isFrozen(machine.cgroup) ? 'paused' : 'running';
  }

  onExit(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void {
    let listening = true;
    const tell = async (): Promise<void> => {
      const end = await waitForEnd(containerPaths(machine));
      if (listening) listener(end);
    };
    const stop = watchExit(handle.pid, handle.pidStart, () => {
      tell().catch(() => undefined);
    });
    return () => {
      listening = false;
      stop();
    };
  }

  async usage(machine: Machine, _handle: Handle): Promise<DriverUsage> {
    return this.#cgroups.usage(machine.cgroup);
  }

  meters({ cgroup }: Machine): DriverMeters {
    return this.#cgroups.meters(cgroup);
  }

  leftovers(): Promise<string[]> {
    return this.#containers.leftovers();
  }

  close(): void {
    this.#containers.close();
  }

  readonly exec: ExecAbility = {
    exec: async (machine, handle, request) => {
      this.#requireAwake(machine, handle);
      if (request.user === undefined) return this.#execute(machine, request);
      const accounts = await readAccounts((argv) => this.#execute(machine, asRoot(argv)));
      return this.#execute(machine, request, resolveUser(request.user, accounts, machine.ids.count));
    },
  };

  #execute(machine: Machine, request: ExecRequest, user = ROOT): ExecSession {
    const { runtime, most } = this.#containers;
    return execInContainer({ runtime, machine, paths: containerPaths(machine), most }, request, user);
  }

  /** A command in a frozen group would stand still, and its caller with it. */
  #requireAwake(machine: Machine, handle: Handle): void {
    requireRunning(machine, handle);
    if (!this.#cgroups.isFrozen(machine.cgroup)) return;
    throw new MullionError('wrong_state', `The VPS ${machine.name} is paused.`, {
      remedy: `Let it go on with: mullion resume ${machine.name}`,
    });
  }

  readonly console: ConsoleAbility = {
    openConsole: async (machine: Machine, handle: Handle, window?: Window): Promise<ConsoleStream> => {
      requireRunning(machine, handle);
      const paths = containerPaths(machine);
      return openConsole(paths, window, () => isMonitored(paths));
    },
  };

  readonly logs: LogsAbility = {
    readLogs: async (machine, { follow, lines, signal }) => {
      const paths = containerPaths(machine);
      const isLive = (): boolean => isMonitored(paths);
      const shown = tailLog(paths.log, { follow, lines, signal, isLive });
      return Readable.from(shown, { objectMode: false });
    },
  };

  /** Run in the guest by its own root, so that links there lead nowhere else. */
  readonly files: FilesAbility = {
    pull: (machine, handle, path): Promise<Readable> => pullFile(this.#inside(machine, handle), path),
    push: (machine, handle, path, content, mode): Promise<void> =>
      pushFile(this.#inside(machine, handle), path, content, mode),
    list: (machine, handle, path): Promise<FileEntry[]> => listFiles(this.#inside(machine, handle), path),
  };

  #inside(machine: Machine, handle: Handle): Execute {
    return async (argv) => {
      this.#requireAwake(machine, handle);
      return this.#execute(machine, asRoot(argv));
    };
  }

  readonly pause: PauseAbility = {
    pause: async (machine, handle) => {
      requireRunning(machine, handle);
      await this.#cgroups.freeze(machine.cgroup);
    },
    resume: async (machine, handle) => {
      requireRunning(machine, handle);
      await this.#cgroups.thaw(machine.cgroup);
    },
  };

  readonly limits: LimitsAbility = {
    setLimits: async (machine: Machine, handle: Handle, limits: Limits) => {
      requireRunning(machine, handle);
      try {
        this.#cgroups.setLimits(machine.cgroup, limits);
        await this.#containers.showLimits(machine, handle, limits);
      } catch (cause) {
        if (!hasCode(cause, 'EBUSY')) throw cause;
        throw new MullionError('in_use', `${machine.name} uses more memory now than the new limit.`, {
          remedy: 'Ask for more memory, or end something in the VPS first',
          cause,
        });
      }
    },
  };

  readonly diskRates: DiskRatesAbility = {
    setDiskRates: async (machine, handle, rates) => {
      requireRunning(machine, handle);
      this.#cgroups.setDiskRates(machine.cgroup, machine.volume, rates);
    },
  };

  readonly health: HealthAbility = {
    isReady: async (machine, handle) => {
      if (!alive(handle) || this.#cgroups.isFrozen(machine.cgroup)) return false;
      if (!isSystemd(programOf(handle.pid))) return this.#containers.hasStarted(machine);
      return saysReady(this.#execute(machine, asRoot(ASK_STATE)));
    },
  };

  /** Its files lie in the pool's own file system, which a snapshot brings to rest itself. */
  readonly freeze: FreezeAbility = {
    freeze: async () => undefined,
    thaw: async () => true,
  };
}

const asRoot = (argv: readonly string[]): ExecRequest => ({ argv: [...argv], env: {}, tty: false, cwd: '/' });

function rootfsOf(machine: Machine): string {
  if (machine.image.rootfs !== undefined) return machine.image.rootfs;
  throw new MullionError('image_unfit', `The image ${machine.image.id} has no root file system.`);
}

function requireRunning(machine: Machine, handle: Handle): void {
  if (alive(handle)) return;
  throw new MullionError('wrong_state', `The VPS ${machine.name} does not run.`, {
    remedy: `Start it with: mullion start ${machine.name}`,
  });
}
