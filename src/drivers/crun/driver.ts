import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Duplex, Readable } from 'node:stream';
import { MullionError } from '../../contract/errors.ts';
import type { FileEntry, ImagePart } from '../../contract/resources.ts';
import type { ExecRequest, Window } from '../../contract/streams.ts';
import type { Features, Technique, TechniqueReport } from '../../contract/techniques.ts';
import type { Limits } from '../../contract/vps.ts';
import { cgroupRoot, type Naming, ociStateDirectory, vpsRunDirectory } from '../../core/naming.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { openFilesLimit, programOf } from '../../host/guest-init.ts';
import { layOver } from '../../host/guest-tree.ts';
import { OciRuntime } from '../../host/oci/runtime.ts';
import { processStart, signalProcess, waitForExit, watchExit } from '../../host/processes.ts';
import type { UserNamespaces } from '../../host/user-namespaces.ts';
import type {
  Condition,
  ConsoleAbility,
  Driver,
  DriverUsage,
  ExecAbility,
  ExecSession,
  FilesAbility,
  Handle,
  HealthAbility,
  LimitsAbility,
  LogsAbility,
  Machine,
  PauseAbility,
  Prepared,
} from '../driver.ts';
import { listFiles, pullFile, pushFile } from '../guest-agent/guest-files.ts';
import { identityFiles } from '../provision/identity.ts';
import { readAccounts } from './accounts.ts';
import { openConsole } from './console.ts';
import { execInContainer } from './exec.ts';
import { FEATURES } from './features.ts';
import { findInit, isSystemd, shutdownSignal } from './init.ts';
import { tailLog } from './log-tail.ts';
import { BUNDLE, type ContainerPaths, containerId, containerPaths, machineOfContainer } from './paths.ts';
import { probeContainers } from './probe.ts';
import { renderConfig } from './render.ts';
import { mountRoot, populateRoot, unmountRoot } from './root.ts';
import {
  alive,
  type ContainerState,
  exitReason,
  handleOf,
  hasMark,
  isMonitored,
  mark,
  readMonitor,
  readState,
  waitForReason,
  writeState,
} from './state.ts';
import { ROOT, resolveUser } from './users.ts';

/** How long conmon may take to write the exit code and to end after its container. */
const MONITOR_MS = 2_000;
const KILLED_MS = 10_000;

/** Longest that a guest may take to say whether it is ready. */
const READY_MS = 2_000;

export interface CrunDependencies {
  readonly naming: Naming;
  readonly cgroups: Cgroups;
  readonly userNamespaces: UserNamespaces;
}

export const createCrunDriver = (dependencies: CrunDependencies): Driver => new CrunDriver(dependencies);

/** System containers on the host's kernel by crun, each below a conmon that holds its console. */
class CrunDriver implements Driver {
  readonly name = 'crun';
  readonly techniques = ['os'] as const;
  readonly #naming: Naming;
  readonly #cgroups: Cgroups;
  readonly #userNamespaces: UserNamespaces;
  readonly #runtime: OciRuntime;
  readonly #openFiles: number;

  constructor({ naming, cgroups, userNamespaces }: CrunDependencies) {
    this.#naming = naming;
    this.#cgroups = cgroups;
    this.#userNamespaces = userNamespaces;
    this.#runtime = new OciRuntime({ stateDirectory: ociStateDirectory(naming), layout: cgroups.layout });
    this.#openFiles = openFilesLimit();
  }

  needs(_technique: Technique): readonly ImagePart[] {
    return ['rootfs'];
  }

  features(_technique: Technique): Features {
    return FEATURES;
  }

  probe(_technique: Technique): Promise<TechniqueReport> {
    return probeContainers({
      naming: this.#naming,
      cgroups: this.#cgroups,
      userNamespaces: this.#userNamespaces,
      runtime: this.#runtime,
    });
  }

  async populate(machine: Machine): Promise<void> {
    populateRoot({ image: rootfsOf(machine), volume: machine.volume });
  }

  async prepare(machine: Machine): Promise<Prepared> {
    const image = rootfsOf(machine);
    const paths = containerPaths(machine);
    await this.#discardPrepared(machine, paths);
    const userNamespace = await this.#userNamespaces.acquire(machine.ids.base, machine.ids.count);
    try {
      const init = findInit([paths.upper, image]);
      if (init === undefined) {
        throw new MullionError('image_unfit', 'The image has no first program such as /sbin/init.', {
          remedy: 'Use an image that holds a whole operating system',
        });
      }
      makeFolders(machine, paths);
      layOver(paths.upper, image, identityFiles(machine));
      mountRoot({ image, volume: machine.volume }, paths, userNamespace);
      const facts = { root: paths.root, init, architecture: process.arch, openFiles: this.#openFiles };
      writeFileSync(paths.config, JSON.stringify(renderConfig(machine, facts)), { mode: 0o600 });
      const state = await this.#create(machine, paths);
      // The container has the mount in its own namespace: the host's is not needed any more, and cannot be left behind.
      unmountRoot(paths);
      this.#cgroups.chownDelegated(machine.cgroup, machine.ids.base);
      this.#cgroups.setLimits(machine.cgroup, machine.limits);
      writeState(paths, state);
      return { handle: handleOf(state), link: { kind: 'netns', pid: state.init.pid } };
    } catch (failure) {
      await this.remove(machine, undefined);
      throw failure;
    }
  }

  async #discardPrepared(machine: Machine, paths: ContainerPaths): Promise<void> {
    if (!existsSync(paths.bundle)) return;
    const state = readState(paths);
    if (state !== undefined && alive(handleOf(state)) && (await this.#hasStarted(machine, paths))) {
      throw new MullionError('wrong_state', `The VPS ${machine.name} runs already.`);
    }
    await this.remove(machine, undefined);
  }

  async #create(machine: Machine, paths: ContainerPaths): Promise<ContainerState> {
    const { pid } = await this.#runtime.create(paths.bundle, containerId(machine.id), {
      pidFile: paths.pidFile,
      monitor: {
        name: machine.name,
        log: paths.log,
        exitDirectory: paths.exitDirectory,
        pidFile: paths.monitorPidFile,
      },
    });
    const start = processStart(pid);
    if (start === undefined) throw new MullionError('start_failed', 'The container ended at once.');
    const monitor = readMonitor(paths);
    return { init: { pid, start }, ...(monitor === undefined ? {} : { monitor }) };
  }

  async start(machine: Machine, handle: Handle): Promise<void> {
    const paths = containerPaths(machine);
    if (!alive(handle)) {
      const reason = exitReason(paths) ?? 'nobody has seen why';
      throw new MullionError('start_failed', `The container of ${machine.name} has ended: ${reason}.`);
    }
    if (await this.#hasStarted(machine, paths)) return;
    mark(paths.starting);
    await this.#runtime.start(containerId(machine.id));
    mark(paths.started);
  }

  /** Between the two marks of a start that was cut short, only crun knows. */
  async #hasStarted(machine: Machine, paths: ContainerPaths): Promise<boolean> {
    if (hasMark(paths.started)) return true;
    if (!hasMark(paths.starting)) return false;
    const status = await this.#runtime.state(containerId(machine.id));
    return status === 'running' || status === 'paused';
  }

  async shutdown(machine: Machine, handle: Handle, timeoutMs: number): Promise<boolean> {
    const paths = containerPaths(machine);
    if (!alive(handle)) return true;
    if (!(await this.#hasStarted(machine, paths))) {
      signalProcess(handle.pid, handle.pidStart, 'SIGKILL');
    } else {
      if (this.#cgroups.isFrozen(machine.cgroup)) await this.#cgroups.thaw(machine.cgroup);
      signalProcess(handle.pid, handle.pidStart, shutdownSignal(programOf(handle.pid)));
    }
    return waitForExit(handle.pid, handle.pidStart, timeoutMs);
  }

  async remove(machine: Machine, handle: Handle | undefined): Promise<void> {
    const paths = containerPaths(machine);
    const state = readState(paths);
    await this.#cgroups.killAll(machine.cgroup);
    for (const known of [handle, state === undefined ? undefined : handleOf(state)]) {
      if (known === undefined) continue;
      signalProcess(known.pid, known.pidStart, 'SIGKILL');
      await waitForExit(known.pid, known.pidStart, KILLED_MS);
    }
    const monitor = state?.monitor ?? readMonitor(paths);
    if (monitor !== undefined && !(await waitForExit(monitor.pid, monitor.start, MONITOR_MS))) {
      signalProcess(monitor.pid, monitor.start, 'SIGKILL');
    }
    await this.#runtime.delete(containerId(machine.id), { force: true });
    await this.#cgroups.killAll(machine.cgroup);
    await this.#cgroups.remove(machine.cgroup);
    removeFolders(machine, paths);
  }

  async recover(machine: Machine, handle: Handle): Promise<Condition> {
    if (!alive(handle)) return 'gone';
    const paths = containerPaths(machine);
    if (!(await this.#hasStarted(machine, paths))) return 'prepared';
    return this.#cgroups.isFrozen(machine.cgroup) ? 'paused' : 'running';
  }

  onExit(machine: Machine, handle: Handle, listener: (reason: string) => void): () => void {
    const paths = containerPaths(machine);
    let listening = true;
    const stop = watchExit(handle.pid, handle.pidStart, () => {
      waitForReason(paths).then(
        (reason) => {
          if (listening) listener(reason);
        },
        () => undefined,
      );
    });
    return () => {
      listening = false;
      stop();
    };
  }

  async usage(machine: Machine, _handle: Handle): Promise<DriverUsage> {
    return this.#cgroups.usage(machine.cgroup);
  }

  async leftovers(): Promise<string[]> {
    const runDirectories = dirname(vpsRunDirectory(this.#naming, 'any'));
    const folders = namesIn(runDirectories);
    const recorded = (await this.#runtime.list()).flatMap((id) => machineOfContainer(id) ?? []);
    const bundled = folders.filter((id) => existsSync(join(runDirectories, id, BUNDLE)));
    // A cgroup whose run folder is lost tells no driver: whoever removes it does right.
    const orphans = this.#cgroups
      .list(cgroupRoot(this.#naming))
      .filter((id) => !folders.includes(id) && !id.startsWith('probe-'));
    return [...new Set([...recorded, ...bundled, ...orphans])].sort();
  }

  readonly exec: ExecAbility = {
    exec: async (machine, handle, request) => {
      requireRunning(machine, handle);
      const user =
        request.user === undefined
          ? ROOT
          : resolveUser(
              request.user,
              await readAccounts((argv) => this.#execute(machine, { argv: [...argv], env: {}, tty: false })),
              machine.ids.count,
            );
      return this.#execute(machine, request, user);
    },
  };

  #execute(machine: Machine, request: ExecRequest, user = ROOT): ExecSession {
    const paths = containerPaths(machine);
    return execInContainer(
      { runtime: this.#runtime, machine, paths, openFiles: this.#openFiles },
      request,
      user,
    );
  }

  readonly console: ConsoleAbility = {
    openConsole: async (machine: Machine, handle: Handle, window?: Window): Promise<Duplex> => {
      requireRunning(machine, handle);
      const paths = containerPaths(machine);
      return openConsole(paths, window, () => isMonitored(paths));
    },
  };

  readonly logs: LogsAbility = {
    readLogs: async (machine, { follow, lines, signal }) => {
      const paths = containerPaths(machine);
      const isLive = (): boolean => isMonitored(paths);
      return Readable.from(tailLog(paths.log, { follow, from: 'start', lines, signal, isLive }), {
        objectMode: false,
      });
    },
  };

  /** Run in the guest by its own root, so that links there lead nowhere else. */
  readonly files: FilesAbility = {
    pull: (machine, handle, path): Promise<Readable> => pullFile(this.#inside(machine, handle), path),
    push: (machine, handle, path, content, mode): Promise<void> =>
      pushFile(this.#inside(machine, handle), path, content, mode),
    list: (machine, handle, path): Promise<FileEntry[]> => listFiles(this.#inside(machine, handle), path),
  };

  #inside(machine: Machine, handle: Handle) {
    return async (argv: readonly [string, ...string[]]): Promise<ExecSession> => {
      requireRunning(machine, handle);
      return this.#execute(machine, { argv: [...argv], env: {}, tty: false, cwd: '/' });
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
      this.#cgroups.setLimits(machine.cgroup, limits);
    },
  };

  readonly health: HealthAbility = {
    isReady: async (machine, handle) => {
      if (!alive(handle)) return false;
      if (!isSystemd(programOf(handle.pid))) return true;
      const session = this.#execute(machine, {
        argv: ['systemctl', 'is-system-running'],
        env: {},
        tty: false,
        cwd: '/',
      });
      session.stdin.end();
      session.stderr?.resume();
      // Asked too early in the boot, systemctl waits for an answer that never comes.
      const timer = setTimeout(() => session.close(), READY_MS);
      try {
        let answer = '';
        for await (const piece of session.stdout) answer += String(piece);
        await session.exit;
        return /^(running|degraded)$/m.test(answer);
      } catch {
        return false;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

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

/** The run folder may be passed through: the guest's own root must reach the tree below it. */
function makeFolders(machine: Machine, paths: ContainerPaths): void {
  mkdirSync(paths.exitDirectory, { recursive: true });
  for (const path of [machine.runDirectory, paths.bundle]) chmodSync(path, 0o711);
  mkdirSync(machine.logDirectory, { recursive: true, mode: 0o700 });
}

/** Mount points go by rmdir(2), which refuses what is still mounted: nothing is ever deleted through a mount. */
function removeFolders(machine: Machine, paths: ContainerPaths): void {
  if (existsSync(paths.bundle)) {
    unmountRoot(paths);
    for (const place of [paths.root, paths.lower, paths.volume]) {
      if (existsSync(place)) rmdirSync(place);
    }
    rmSync(paths.bundle, { recursive: true, force: true });
  }
  if (existsSync(machine.runDirectory) && namesIn(machine.runDirectory).length === 0) {
    rmdirSync(machine.runDirectory);
  }
}

const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
