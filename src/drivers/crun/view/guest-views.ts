import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { Logger } from '../../../core/logger.ts';
import type { Naming } from '../../../core/naming.ts';
import { readKernelFiles } from '../../../host/kernel-files.ts';
import { isAlive } from '../../../host/processes.ts';
import { dress, dressAgain, fillWardrobe, showProcessors, type Wardrobe } from './dress.ts';
import { Lxcfs } from './lxcfs.ts';
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
  readonly #host = readKernelFiles();
  readonly #logger: Logger | undefined;

  constructor({ runDirectory }: Pick<Naming, 'runDirectory'>, logger?: Logger) {
    this.#logger = logger;
    this.#lxcfs = new Lxcfs(runDirectory, () => this.#renew());
  }

  /** Starts what counts for them, where it is installed. */
  async open(): Promise<void> {
    await this.#lxcfs.ensure();
  }

  /** Lays out what a container gets that is not there yet. */
  layOut({ staging, limits }: Pick<Shown, 'staging' | 'limits'>): Wardrobe {
    return fillWardrobe(staging, this.#sys({ limits }));
  }

  /** Lays the view over a container that has not begun. */
  async give(shown: Shown, wardrobe: Wardrobe): Promise<void> {
    await this.#lxcfs.ensure();
    dress(shown.pid, wardrobe, { covers: this.#covers(shown), shares: this.#lxcfs.shares });
    this.#running.set(shown.id, shown);
  }

  /** A guest that ran before this process did: what counts for it is looked after again. */
  async adopt(shown: Shown): Promise<void> {
    this.#running.set(shown.id, shown);
    await this.#lxcfs.ensure();
  }

  changeLimits(shown: Shown): void {
    showProcessors(shown.pid, shown.staging, this.#sys(shown));
    this.#running.set(shown.id, shown);
  }

  forget(id: string): void {
    this.#running.delete(id);
  }

  #covers({ id, pid, pidStart, limits }: Shown): Cover[] {
    const processors = visibleProcessors(limits.cpus);
    return coversOfProc({
      ...this.#host,
      bootId: bootIdOf(`${id}:${pid}:${pidStart}`),
      processors,
      memory: limits.memory,
    });
  }

  #sys({ limits }: Pick<Shown, 'limits'>): Tree {
    return renderSys({ ...this.#host, processors: visibleProcessors(limits.cpus) });
  }

  /** One guest after the other: what one of them puts in the way is its own loss. */
  async #renew(): Promise<void> {
    for (const shown of [...this.#running.values()]) {
      if (!isAlive(shown.pid, shown.pidStart)) continue;
      const { id, pid, staging } = shown;
      await dressAgain(pid, staging, { covers: this.#covers(shown), shares: this.#lxcfs.shares }).catch(
        (failure: unknown) => {
          this.#logger?.warn('a VPS keeps its old /proc until it is restarted', { vps: id, failure });
        },
      );
    }
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

/** As many as its share comes to, and no more than there are. */
const visibleProcessors = (cpus: number): number =>
  Math.max(1, Math.min(Math.ceil(cpus), availableParallelism()));

/** One boot, one id: a version 4 UUID (RFC 9562) that stays the same as long as the process does. */
function bootIdOf(boot: string): string {
  const digits = createHash('sha256').update(`boot:${boot}`).digest('hex').slice(0, 32);
  return digits.replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12})$/, '$1-$2-4$3-8$4-$5');
}
