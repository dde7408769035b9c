import { chownSync, closeSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../contract/errors.ts';
import { type DiskRates, hasDiskRates } from '../contract/rates.ts';
import { devicesBelow } from './block-devices.ts';
import { writeDiskRates } from './cgroup-disk-rates.ts';
import {
  checkPath,
  children,
  enableControllers,
  field,
  inheritCpuset,
  processesBelow,
  read,
  readIfThere,
  removeTree,
  writeIfThere,
} from './cgroup-files.ts';
import { type CgroupLayout, detectCgroups, hierarchyRoots } from './cgroup-layout.ts';
import {
  type CgroupFolders,
  type CgroupMeters,
  type CgroupUsage,
  readMeters,
  readUsage,
} from './cgroup-meters.ts';
import { pidfdOpen, pidfdSendSignal } from './syscalls/libc.ts';
import { hasCode } from './system-error.ts';

export { type CgroupLayout, detectCgroups } from './cgroup-layout.ts';
export type { CgroupUsage } from './cgroup-meters.ts';

export interface CgroupLimits {
  readonly cpus?: number | undefined;
  /** Processors that it may use besides `cpus`, and that give it no more weight. */
  readonly extraCpus?: number | undefined;
  /** Bytes, swap included. */
  readonly memory?: number | undefined;
  readonly pids?: number | undefined;
}

const PERIOD_US = 100_000;
/** Microseconds that so many processors have in each period; no fewer than the kernel takes. */
export const cpuQuota = (cpus: number): { readonly quota: number; readonly period: number } => ({
  quota: Math.max(1000, Math.round(cpus * PERIOD_US)),
  period: PERIOD_US,
});
/** What a group with one processor weighs, as the kernel has it for each new group, and between which numbers it may be. */
const WEIGHT = { of: 100, least: 1, most: 10_000 };
const SHARES = { of: 1024, least: 2, most: 262_144 };
const KILL_MS = 10_000;
const SIGKILL = 9;

/**
 * Control groups by a path relative to the root of every hierarchy, whichever hierarchies this host has
 * (cgroups(7); Documentation/admin-guide/cgroup-v2).
 */
export class Cgroups {
  readonly layout: CgroupLayout;
  readonly #roots: readonly string[];

  constructor(layout: CgroupLayout = detectCgroups()) {
    this.layout = layout;
    this.#roots = hierarchyRoots(layout);
  }

  /** Makes it in every hierarchy, its parents too, with the controllers switched on in the parents. */
  ensure(path: string): void {
    const levels = checkPath(path);
    for (const root of this.#roots) {
      let parent = root;
      for (const level of levels) {
        if (root === this.layout.unified) enableControllers(parent);
        const child = join(parent, level);
        mkdirSync(child, { recursive: true });
        if (root === this.layout.controllers.cpuset && root !== this.layout.unified)
          inheritCpuset(parent, child);
        parent = child;
      }
    }
  }

  /** Names of the groups right below `parent`, in any hierarchy. */
  list(parent: string): string[] {
    return [...new Set(this.#directories(parent).flatMap(children))].sort();
  }

  /** Zeros where the group, or its controller, is not there. */
  usage(path: string): CgroupUsage {
    return readUsage(this.#folders(path));
  }

  /** Its usage as well. Zeros where the group is not there. */
  meters(path: string): CgroupUsage & CgroupMeters {
    return readMeters(this.#folders(path));
  }

  /** Sets what is given and leaves the rest. @throws an error with an errno code, EBUSY when the memory is in use */
  setLimits(path: string, limits: CgroupLimits): void {
    if (limits.cpus !== undefined) this.#setCpus(path, limits.cpus, limits.extraCpus ?? 0);
    if (limits.memory !== undefined) this.#setMemory(path, limits.memory);
    if (limits.pids !== undefined) {
      writeFileSync(join(this.#controller('pids', path), 'pids.max'), String(limits.pids));
    }
  }

  /**
   * Whether what a group leaves to the page cache counts as its own once it is written: cgroup v2 knows whose a page is,
   * on v1 the kernel's own flusher writes it, for nobody.
   */
  get countsBufferedWrites(): boolean {
    const { controllers, unified } = this.layout;
    return unified !== undefined && controllers.io === unified && controllers.memory === unified;
  }

  /**
   * Limits what the group reads and writes a second on the devices below the file system of `path`.
   * @throws MullionError `not_supported` when that lies on no block device, `host_unfit` without the controller
   */
  setDiskRates(group: string, path: string, rates: DiskRates): void {
    const devices = devicesBelow(path);
    if (devices.length === 0) {
      if (!hasDiskRates(rates)) return;
      throw new MullionError(
        'not_supported',
        `${path} lies on no block device, whose rate could be limited.`,
        {
          remedy: "Take the limits of the disk's rate away, or keep the pool on a disk",
        },
      );
    }
    const blkio = this.#v1('blkio', group);
    if (blkio === undefined) this.#controller('io', group);
    writeDiskRates({ blkio, unified: this.#unified(group) }, devices, rates);
  }

  /** The most that it gets, and its weight against others where all want more than there is. */
  #setCpus(path: string, cpus: number, extra: number): void {
    const { quota, period } = cpuQuota(cpus + extra);
    const directory = this.#controller('cpu', path);
    if (this.#v1('cpu', path) === undefined) {
      writeFileSync(join(directory, 'cpu.max'), `${quota} ${period}`);
      writeFileSync(join(directory, 'cpu.weight'), String(weightOf(cpus, WEIGHT)));
      return;
    }
    writeFileSync(join(directory, 'cpu.shares'), String(weightOf(cpus, SHARES)));
    writeFileSync(join(directory, 'cpu.cfs_period_us'), String(period));
    writeFileSync(join(directory, 'cpu.cfs_quota_us'), String(quota));
  }

  #setMemory(path: string, bytes: number): void {
    const directory = this.#controller('memory', path);
    if (this.#v1('memory', path) === undefined) {
      writeFileSync(join(directory, 'memory.max'), String(bytes));
      const swap = join(directory, 'memory.swap.max');
      if (existsSync(swap)) writeFileSync(swap, '0');
      return;
    }
    const plain = 'memory.limit_in_bytes';
    const withSwap = 'memory.memsw.limit_in_bytes';
    const raised = bytes > Number(read(directory, plain));
    for (const file of raised ? [withSwap, plain] : [plain, withSwap]) {
      if (existsSync(join(directory, file))) writeFileSync(join(directory, file), String(bytes));
    }
  }

  /** Moves a process into the group. @throws SystemError of Node, ESRCH when it is gone */
  enter(path: string, pid: number): void {
    for (const directory of this.#directories(path)) {
      writeFileSync(join(directory, 'cgroup.procs'), String(pid));
    }
  }

  /** Every process in the group and below it. */
  processes(path: string): number[] {
    return [...new Set(this.#directories(path).flatMap(processesBelow))];
  }

  /**
   * Ends every process in the group and below it. Forks are stopped first, so that none outruns it.
   * @throws MullionError `timeout` when some cannot be killed within 10 seconds
   */
  async killAll(path: string): Promise<void> {
    const unified = this.#unified(path);
    const pids = join(this.#v1('pids', path) ?? unified ?? '', 'pids.max');
    const former = readIfThere(pids).trim();
    if (former !== '') writeFileSync(pids, '0');
    try {
      if (unified !== undefined && existsSync(join(unified, 'cgroup.kill'))) {
        writeFileSync(join(unified, 'cgroup.kill'), '1');
      }
      const deadline = performance.now() + KILL_MS;
      for (let pause = 1; this.#killOnce(path); pause = Math.min(pause * 2, 50)) {
        if (performance.now() > deadline) {
          throw new MullionError('timeout', `Processes in the cgroup ${path} could not be killed.`, {
            details: { pids: this.processes(path).slice(0, 100) },
          });
        }
        await sleep(pause);
      }
    } finally {
      if (former !== '') writeIfThere(pids, former);
    }
  }

  /** True while a process was left to kill. A pid counts as the group's only if it still is after it was opened. */
  #killOnce(path: string): boolean {
    const opened = this.processes(path).flatMap((pid) => {
      try {
        return [{ pid, pidfd: pidfdOpen(pid) }];
      } catch (failure) {
        if (hasCode(failure, 'ESRCH', 'EINVAL')) return [];
        throw failure;
      }
    });
    const still = new Set(opened.length === 0 ? [] : this.processes(path));
    for (const { pid, pidfd } of opened) {
      try {
        if (still.has(pid)) pidfdSendSignal(pidfd, SIGKILL);
      } catch (failure) {
        if (!hasCode(failure, 'ESRCH')) throw failure;
      } finally {
        closeSync(pidfd);
      }
    }
    if (still.size > 0) this.#setFrozen(path, false);
    return still.size > 0;
  }

  /**
   * Removes the group, the groups below it first, from every hierarchy; nothing there is fine.
   * @throws MullionError `in_use` when processes are still in it
   */
  async remove(path: string): Promise<void> {
    checkPath(path);
    const deadline = performance.now() + 2000;
    for (const root of this.#roots) {
      for (let pause = 1; !removeTree(join(root, path)); pause = Math.min(pause * 2, 50)) {
        if (performance.now() > deadline) {
          throw new MullionError('in_use', `The cgroup ${join(root, path)} still holds processes.`, {
            details: { pids: this.processes(path).slice(0, 100) },
          });
        }
        await sleep(pause);
      }
    }
  }

  /**
   * Lets `uid` manage groups below this one: what systemd in a user namespace needs. On v1 that is the hierarchy
   * `name=systemd` alone, as its controllers are not safe to give away (systemd, "Control Group APIs and Delegation").
   */
  chownDelegated(path: string, uid: number): void {
    const delegate = (root: string | undefined, files: readonly string[]): void => {
      if (root === undefined) return;
      for (const file of ['', ...files]) {
        const target = join(root, path, file);
        if (existsSync(target)) chownSync(target, uid, uid);
      }
    };
    checkPath(path);
    delegate(this.layout.unified, ['cgroup.procs', 'cgroup.subtree_control', 'cgroup.threads']);
    delegate(this.layout.controllers['name=systemd'], ['cgroup.procs', 'tasks']);
  }

  /** Stops every process in the group and waits until they stand still. @throws MullionError `timeout` */
  async freeze(path: string): Promise<void> {
    this.#setFrozen(path, true);
    await this.#waitFrozen(path, true);
  }

  async thaw(path: string): Promise<void> {
    this.#setFrozen(path, false);
    await this.#waitFrozen(path, false);
  }

  /** Whether every process in the group stands still by `freeze`. */
  isFrozen(path: string): boolean {
    const freezer = this.#v1('freezer', path);
    return freezer === undefined
      ? field(read(this.#unified(path), 'cgroup.events'), 'frozen') === 1
      : readIfThere(join(freezer, 'freezer.state')).trim() === 'FROZEN';
  }

  /** The v1 freezer where it is mounted: processes are in it even where cgroup2 is mounted beside it. */
  #setFrozen(path: string, frozen: boolean): void {
    const freezer = this.#v1('freezer', path);
    if (freezer !== undefined) writeIfThere(join(freezer, 'freezer.state'), frozen ? 'FROZEN' : 'THAWED');
    else writeIfThere(join(this.#unified(path) ?? '', 'cgroup.freeze'), frozen ? '1' : '0');
  }

  async #waitFrozen(path: string, wanted: boolean): Promise<void> {
    const deadline = performance.now() + KILL_MS;
    for (let pause = 1; ; pause = Math.min(pause * 2, 20)) {
      if (this.isFrozen(path) === wanted) return;
      if (performance.now() > deadline) {
        throw new MullionError('timeout', `The cgroup ${path} could not be ${wanted ? 'frozen' : 'thawed'}.`);
      }
      await sleep(pause);
    }
  }

  #directories(path: string): string[] {
    checkPath(path);
    return this.#roots.map((root) => join(root, path)).filter((directory) => existsSync(directory));
  }

  /** The group's folder in the controller's own v1 hierarchy. */
  #v1(controller: string, path: string): string | undefined {
    checkPath(path);
    const root = this.layout.controllers[controller];
    return root === undefined || root === this.layout.unified ? undefined : join(root, path);
  }

  #unified(path: string): string | undefined {
    checkPath(path);
    return this.layout.unified === undefined ? undefined : join(this.layout.unified, path);
  }

  #folders(path: string): CgroupFolders {
    return {
      unified: this.#unified(path),
      cpu: this.#v1('cpu', path),
      cpuacct: this.#v1('cpuacct', path),
      pids: this.#v1('pids', path),
      memory: this.#v1('memory', path),
      blkio: this.#v1('blkio', path),
    };
  }

  #controller(controller: string, path: string): string {
    const root = this.layout.controllers[controller];
    if (root !== undefined) return join(root, path);
    throw new MullionError('host_unfit', `This host has no cgroup controller ${controller}.`, {
      remedy: `Start the kernel with the controller on, for example cgroup_enable=${controller}`,
    });
  }
}

const weightOf = (cpus: number, { of, least, most }: typeof WEIGHT): number =>
  Math.min(most, Math.max(least, Math.round(cpus * of)));
