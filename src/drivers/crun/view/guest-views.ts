import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Logger } from '../../../core/logger.ts';
import type { Naming } from '../../../core/naming.ts';
import { isKernelFile, kernelFileNames, readKernelFiles } from '../../../host/kernel-files.ts';
import { mountedDevices } from '../../../host/mount-devices.ts';
import { isAlive } from '../../../host/processes.ts';
import { dress, dressAgain, fillWardrobe, showProcessors, type Wardrobe } from './dress.ts';
import { KeyedChanges } from './keyed-changes.ts';
import { isFuse, Lxcfs } from './lxcfs.ts';
import { type Cover, coversOfProc } from './proc-view.ts';
import { renderSys, type Tree } from './sys-view.ts';

/** A guest by the process that shows its files. */
export interface Shown {
  readonly id: string;
  readonly pid: number;
  readonly pidStart: number;
  /** A path for a moment's mounts. */
  readonly staging: string;
  readonly limits: { readonly cpus: number; readonly memory: number };
}

/** What the guests of this installation see of the host, and the lxcfs that counts for them all. */
export class GuestViews {
  readonly #lxcfs: Lxcfs;
  readonly #running = new Map<string, Shown>();
  readonly #changes = new KeyedChanges();
  readonly #names: () => readonly string[];
  #host: ReturnType<typeof readKernelFiles>;
  readonly #logger: Logger | undefined;

  /** `names` lists what is below /proc at that moment, without processes. */
  constructor(
    { runDirectory }: Pick<Naming, 'runDirectory'>,
    logger?: Logger,
    names: () => readonly string[] = kernelFileNames,
  ) {
    this.#logger = logger;
    this.#names = names;
    this.#host = readKernelFiles(names());
    this.#lxcfs = new Lxcfs(runDirectory, () => this.#renew());
  }

  /** Starts what counts for them, where it is installed. */
  async open(): Promise<void> {
    await this.#lxcfs.ensure();
  }

  /** Lays out what a container gets that is not there yet. */
  layOut({ staging, limits }: Pick<Shown, 'staging' | 'limits'>): Wardrobe {
    const covers = this.#covers({ limits, bootId: '' });
    return fillWardrobe(staging, this.#sys({ limits }), { covers, shares: this.#lxcfs.shares });
  }

  /** Lays the view over a container that has not begun. */
  async give(shown: Shown, wardrobe: Wardrobe): Promise<void> {
    await this.#lxcfs.ensure();
    if (this.#learnNames()) this.#renew().catch(() => undefined);
    dress(shown.pid, wardrobe, { covers: this.#covers(booted(shown)), shares: this.#lxcfs.shares });
    this.#running.set(shown.id, shown);
  }

  /** A guest that ran before this process did: what counts for it is looked after again, and is the one that runs now. */
  async adopt(shown: Shown): Promise<void> {
    this.#running.set(shown.id, shown);
    await this.#lxcfs.ensure();
    await this.#renewOne(shown);
  }

  async changeLimits(shown: Shown): Promise<void> {
    this.#running.set(shown.id, shown);
    await this.#changes.run(shown.id, async () => showProcessors(shown.pid, shown.staging, this.#sys(shown)));
  }

  forget(id: string): void {
    this.#running.delete(id);
  }

  #covers({ limits, bootId }: Pick<Shown, 'limits'> & { readonly bootId: string }): Cover[] {
    const processors = visibleProcessors(limits.cpus);
    return coversOfProc({ ...this.#host, bootId, processors, memory: limits.memory });
  }

  #sys({ limits }: Pick<Shown, 'limits'>): Tree {
    return renderSys({ ...this.#host, processors: visibleProcessors(limits.cpus) });
  }

  /** True when a module has brought files that were not there before. */
  #learnNames(): boolean {
    const names = this.#names();
    if (names.every((name) => this.#host.names.includes(name))) return false;
    this.#host = readKernelFiles(names);
    return true;
  }

  /** One guest after the other: what one of them puts in the way is its own loss. */
  async #renew(): Promise<void> {
    for (const shown of [...this.#running.values()]) await this.#renewOne(shown);
  }

  /** Leaves alone what is as it should be. */
  async #renewOne({ id, pid, pidStart }: Shown): Promise<void> {
    await this.#changes
      .run(id, async () => {
        const shown = this.#running.get(id);
        if (shown === undefined || !isAlive(pid, pidStart)) return;
        const covers = this.#covers(booted(shown));
        if (this.#isDressed(pid, covers)) return;
        await dressAgain(pid, shown.staging, { covers, shares: this.#lxcfs.shares });
      })
      .catch((failure: unknown) => {
        if (!isAlive(pid, pidStart)) return;
        this.#logger?.warn('a VPS keeps its old /proc until it is restarted', { vps: id, failure });
      });
  }

  /** Whether each cover lies where it should, and counts come from the lxcfs that runs. */
  #isDressed(pid: number, covers: readonly Cover[]): boolean {
    const mounted = mountedDevices(pid);
    const targets = new Set(mounted.map(({ target }) => target));
    const counting = mounted.filter(({ target, fstype }) => target === COUNTED && isFuse(fstype));
    const { device } = this.#lxcfs;
    return (
      (device === undefined ? counting.length === 0 : counting.some((each) => each.device === device)) &&
      covers.every(({ path }) => targets.has(`/proc/${path}`) || !isKernelFile(path))
    );
  }

  /** Guests go on with the lxcfs that runs. */
  close(): void {
    this.#lxcfs.close();
  }

  /** No guest is left. */
  remove(): Promise<void> {
    return this.#lxcfs.remove();
  }
}

/** Of the files that lxcfs counts, the one that is asked whose it is. */
const COUNTED = '/proc/meminfo';

/** As many as its share comes to, and no more than there are. */
const visibleProcessors = (cpus: number): number =>
  Math.max(1, Math.min(Math.ceil(cpus), availableParallelism()));

const booted = ({ id, pid, pidStart, limits }: Shown) => ({
  limits,
  bootId: bootIdOf(`${id}:${pid}:${pidStart}`),
});

/** One boot, one id: a version 4 UUID (RFC 9562) that stays the same as long as the process does. */
function bootIdOf(boot: string): string {
  const digits = createHash('sha256').update(`boot:${boot}`).digest('hex').slice(0, 32);
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
