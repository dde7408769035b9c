import { chmodSync, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { hasDiskRates } from '../../contract/rates.ts';
import { cgroupRoot, type Naming, ociStateDirectory, vpsRunDirectory } from '../../core/naming.ts';
import { CgroupProcessors } from '../../host/cgroup-processors.ts';
import type { Cgroups } from '../../host/cgroups.ts';
import { openFilesLimit, programOf } from '../../host/guest-init.ts';
import { layOver } from '../../host/guest-tree.ts';
import { unmount } from '../../host/mounts.ts';
import { coreSize } from '../../host/oci/core-files.ts';
import { type CreateOptions, checkId, OciRuntime } from '../../host/oci/runtime.ts';
import { processStart, signalProcess, waitForExit } from '../../host/processes.ts';
import { raiseHostLimits } from '../../host/user-limits.ts';
import {
  closeNamespaces,
  type GuestNamespaces,
  namespacePaths,
  type UserNamespaces,
} from '../../host/user-namespaces.ts';
import type { Connect, Handle, Machine } from '../driver.ts';
import { identityFiles } from '../provision/identity.ts';
import { findInit } from './init.ts';
import { HOST_OBJECTS, KERNEL_OBJECTS } from './kernel-objects.ts';
import { endMakers, KILLED_MS } from './makers.ts';
import { BUNDLE, type ContainerPaths, containerId, containerPaths, machineOfContainer } from './paths.ts';
import { ProcessorKeeper, type Processors } from './processor-keeper.ts';
import { renderConfig } from './render.ts';
import { mountRoot, unmountRoot } from './root.ts';
import { Scaffolds } from './scaffolds.ts';
import {
  alive,
  type ContainerState,
  handleOf,
  hasMark,
  mark,
  readMonitor,
  readState,
  waitForEnd,
  writeState,
} from './state.ts';
import { isTrial, sweepTrials } from './trials.ts';
import type { Wardrobe } from './view/dress.ts';
import type { GuestViews, Shown } from './view/guest-views.ts';

/** How long conmon may take to end after its container. */
const MONITOR_MS = 2_000;
const START_MS = 5_000;
const WARM_AFTER_MS = 200;

export interface ContainerDependencies {
  readonly naming: Naming;
  readonly cgroups: Cgroups;
  readonly userNamespaces: UserNamespaces;
  readonly views: GuestViews;
  /** Absent: those of this host. */
  readonly processors?: Processors | undefined;
  /** False: a busy container may run on every processor. */
  readonly keepApart?: boolean | undefined;
}

type Works = Pick<CreateOptions, 'complete' | 'meanwhile'>;

/** Makes, starts, finds again and removes containers. What it knows is on disk alone. */
export class Containers {
  readonly runtime: OciRuntime;
  readonly most = { openFiles: openFilesLimit(), coreSize: coreSize() };
  readonly #naming: Naming;
  readonly #cgroups: Cgroups;
  readonly #userNamespaces: UserNamespaces;
  readonly #views: GuestViews;
  readonly #scaffolds = new Scaffolds();
  readonly #keeper: ProcessorKeeper;
  #warming: NodeJS.Timeout | undefined;

  constructor({ naming, cgroups, userNamespaces, views, processors, keepApart }: ContainerDependencies) {
    this.#naming = naming;
    this.#cgroups = cgroups;
    this.#userNamespaces = userNamespaces;
    this.#views = views;
    this.#keeper = new ProcessorKeeper({
      processors: processors ?? new CgroupProcessors(cgroups.layout),
      parent: cgroupRoot(naming),
      keeps: keepApart,
    });
    this.runtime = new OciRuntime({
      stateDirectory: ociStateDirectory(naming),
      layout: cgroups.layout,
      ownClocks: true,
    });
  }

  /** A container before its first instruction, in place of one that was made before and never ran. */
  async make(machine: Machine, image: string, connect?: Connect): Promise<Handle> {
    checkId(containerId(machine.id));
    const paths = containerPaths(machine);
    await this.#discardMade(machine, paths);
    const making = this.#makeNamespaces(machine);
    making.catch(() => undefined);
    let connecting: Promise<void> | undefined;
    try {
      makeFolders(machine, paths);
      using scope = new DisposableStack();
      let wardrobe: Wardrobe | undefined;
      const state = await this.#create(machine, paths, {
        complete: async () => {
          const init = firstProgram(machine, [paths.upper, image]);
          const { forFiles, ofGuest } = await making;
          const facts = {
            root: paths.root,
            init,
            namespaces: namespacePaths(ofGuest),
            architecture: process.arch,
            most: this.most,
          };
          layOver(paths.upper, image, identityFiles(machine));
          writeFileSync(paths.config, JSON.stringify(renderConfig(machine, facts)), { mode: 0o600 });
          mountRoot({ image, volume: machine.volume }, paths, forFiles);
          connecting = connect?.({ kind: 'netns', fd: ofGuest.network });
          connecting?.catch(() => undefined);
        },
        meanwhile: () => {
          wardrobe = scope.use(this.#views.layOut({ staging: paths.stage, limits: machine.limits }));
          raiseHostLimits(HOST_OBJECTS);
        },
      });
      if (wardrobe === undefined) throw new TypeError('nothing was laid out');
      await this.#views.give(shown(machine, handleOf(state)), wardrobe);
      this.#cgroups.chownDelegated(machine.cgroup, machine.ids.base);
      this.#cgroups.setLimits(machine.cgroup, machine.limits);
      if (hasDiskRates(machine.limits)) {
        this.#cgroups.setDiskRates(machine.cgroup, machine.volume, machine.limits);
      }
      await connecting;
      writeState(paths, state);
      scope.move();
      this.#scaffolds.keep(machine.id, wardrobe.stage);
      return handleOf(state);
    } catch (failure) {
      await Promise.allSettled([making, connecting]);
      await this.remove(machine, undefined);
      throw failure;
    } finally {
      // Its processes hold them from now on.
      making.then(({ ofGuest }) => closeNamespaces(ofGuest)).catch(() => undefined);
    }
  }

  /** By descriptors. */
  async #makeNamespaces({
    ids: { base, count },
  }: Machine): Promise<{ forFiles: number; ofGuest: GuestNamespaces }> {
    const ofGuest = this.#userNamespaces.take(base, count, KERNEL_OBJECTS);
    ofGuest.catch(() => undefined);
    try {
      return { forFiles: await this.#userNamespaces.acquire(base, count), ofGuest: await ofGuest };
    } catch (failure) {
      ofGuest.then(closeNamespaces).catch(() => undefined);
      throw failure;
    }
  }

  async #discardMade(machine: Machine, paths: ContainerPaths): Promise<void> {
    if (!existsSync(paths.bundle)) return;
    const state = readState(paths);
    if (state !== undefined && alive(handleOf(state)) && (await this.hasStarted(machine))) {
      throw new MullionError('wrong_state', `The VPS ${machine.name} runs already.`);
    }
    await this.remove(machine, undefined);
  }

  async #create(machine: Machine, paths: ContainerPaths, works: Works): Promise<ContainerState> {
    const { pid } = await this.runtime.create(paths.bundle, containerId(machine.id), {
      pidFile: paths.pidFile,
      ...works,
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
    if (!alive(handle)) throw await endedAtOnce(machine, paths);
    if (await this.hasStarted(machine)) return;
    const waiting = programOf(handle.pid);
    mark(paths.starting);
    await this.runtime.start(containerId(machine.id), handle.pid);
    this.#scaffolds.clearSoon(machine.id, paths);
    await hasReplaced(handle, waiting);
    if (!alive(handle)) throw await endedAtOnce(machine, paths);
    mark(paths.started);
    this.#watch(machine);
    const { base, count } = machine.ids;
    this.#warmSoon(base + count, count);
  }

  #watch({ id, cgroup, limits }: Machine): void {
    this.#keeper.watch(id, cgroup, limits.cpus);
  }

  /** Its containers go on. */
  close(): void {
    this.#keeper.close();
  }

  /**
   * The next container most often has the range of ids after the last one's that began, or that of the last one that ended: what it
   * needs is made ready when there is a pause. What fails here shows when it is needed.
   */
  #warmSoon(base: number, count: number): void {
    clearTimeout(this.#warming);
    const warm = (): void => {
      this.#userNamespaces.warm(base, count, KERNEL_OBJECTS).catch(() => undefined);
    };
    this.#warming = setTimeout(warm, WARM_AFTER_MS).unref();
  }

  /** A container that this process did not make: it is looked after as others are. */
  async adopt(machine: Machine, handle: Handle): Promise<void> {
    await this.#scaffolds.clear(machine.id, containerPaths(machine));
    await this.#views.adopt(shown(machine, handle));
    this.#watch(machine);
  }

  showLimits(machine: Machine, handle: Handle, limits: Machine['limits']): Promise<void> {
    this.#watch({ ...machine, limits });
    return this.#views.changeLimits({ ...shown(machine, handle), limits });
  }

  /** Between the two marks of a start that was cut short, only crun knows. */
  async hasStarted(machine: Machine): Promise<boolean> {
    const paths = containerPaths(machine);
    if (hasMark(paths.started)) return true;
    if (!hasMark(paths.starting)) return false;
    const status = await this.runtime.state(containerId(machine.id), readState(paths)?.init.pid);
    return status === 'running' || status === 'paused';
  }

  /** Afterwards the host holds nothing of it, in whatever state it was. */
  async remove(machine: Machine, handle: Handle | undefined): Promise<void> {
    const paths = containerPaths(machine);
    const state = readState(paths);
    // What a killed daemon left in the middle of its work would make the container after its removal.
    if (state === undefined) await endMakers(paths.bundle);
    this.#views.forget(machine.id);
    this.#keeper.forget(machine.id);
    await this.#scaffolds.clear(machine.id, paths).catch(() => undefined);
    await this.#cgroups.killAll(machine.cgroup);
    for (const known of [handle, state === undefined ? undefined : handleOf(state)]) {
      if (known === undefined || !signalProcess(known.pid, known.pidStart, 'SIGKILL')) continue;
      await waitForExit(known.pid, known.pidStart, KILLED_MS);
    }
    const monitor = state?.monitor ?? readMonitor(paths);
    if (monitor !== undefined && !(await waitForExit(monitor.pid, monitor.start, MONITOR_MS))) {
      signalProcess(monitor.pid, monitor.start, 'SIGKILL');
    }
    await this.runtime.delete(containerId(machine.id), { force: true });
    await this.#cgroups.killAll(machine.cgroup);
    await this.#cgroups.remove(machine.cgroup);
    removeFolders(machine, paths);
    if (handle !== undefined) this.#warmSoon(machine.ids.base, machine.ids.count);
  }

  async leftovers(): Promise<string[]> {
    // No machine's, so that nobody asks for their removal.
    await sweepTrials({ naming: this.#naming, cgroups: this.#cgroups, runtime: this.runtime });
    const runDirectories = dirname(vpsRunDirectory(this.#naming, 'any'));
    const folders = namesIn(runDirectories);
    const recorded = (await this.runtime.list()).flatMap((id) => machineOfContainer(id) ?? []);
    const bundled = folders.filter((id) => existsSync(join(runDirectories, id, BUNDLE)));
    // A cgroup whose run folder is lost tells no driver: whoever removes it does right.
    const orphans = this.#cgroups
      .list(cgroupRoot(this.#naming))
      .filter((id) => !folders.includes(id) && !isTrial(id));
    return [...new Set([...recorded, ...bundled, ...orphans])].sort();
  }
}

const shown = (machine: Machine, { pid, pidStart }: Handle): Shown => ({
  id: machine.id,
  pid,
  pidStart,
  staging: containerPaths(machine).view,
  limits: machine.limits,
});

/** @throws MullionError `image_unfit` */
function firstProgram({ image }: Machine, layers: readonly string[]): string | undefined {
  const init = findInit(layers);
  if (init !== undefined || image.program !== undefined) return init;
  throw new MullionError('image_unfit', 'The image has no first program such as /sbin/init.', {
    remedy: 'Use an image that holds a whole operating system, or one that says what it runs',
  });
}

/** crun's process becomes the guest's first program a little after crun was told so. Settles at its end, too. */
async function hasReplaced(handle: Handle, waiting: string | undefined): Promise<void> {
  const deadline = performance.now() + START_MS;
  while (alive(handle) && programOf(handle.pid) === waiting && performance.now() < deadline) await sleep(1);
}

async function endedAtOnce(machine: Machine, paths: ContainerPaths): Promise<MullionError> {
  const { reason } = await waitForEnd(paths);
  return new MullionError('start_failed', `The first program of ${machine.name} has ended: ${reason}.`, {
    remedy: `See what it said with: mullion logs ${machine.name}`,
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
    for (const place of [paths.stage, paths.view]) unmount(place);
    for (const place of [paths.root, paths.lower, paths.volume, paths.stage, paths.view]) {
      if (existsSync(place)) rmdirSync(place);
    }
    rmSync(paths.bundle, { recursive: true, force: true });
  }
  if (existsSync(machine.runDirectory) && namesIn(machine.runDirectory).length === 0) {
    rmdirSync(machine.runDirectory);
  }
}

const namesIn = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);
