import { existsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { read } from './cgroup-files.ts';
import type { CgroupLayout } from './cgroup-layout.ts';
import { cpuSecondsOf } from './cgroup-meters.ts';
import { busySeconds, interrupts } from './load.ts';

/** Numbers of a list such as `0-3,8` (cpuset(7), "List format"). */
export function parseProcessors(text: string): number[] {
  return text
    .trim()
    .split(',')
    .filter(Boolean)
    .flatMap((part) => {
      const [first = 0, last = first] = part.split('-').map(Number);
      if (Number.isNaN(first)) return [];
      return Array.from({ length: last - first + 1 }, (_, index) => first + index);
    });
}

/** Where the kernel puts nothing that is not bound to it (Documentation/admin-guide/kernel-parameters.txt, isolcpus). */
const APART = ['isolated', 'nohz_full'] as const;
const CPU = '/sys/devices/system/cpu';
const KNOWN_MS = 60_000;
/** There where cores of two kinds are in one processor of Intel (perf's name of the slower ones). */
const SLOW_CORES = '/sys/devices/cpu_atom';

/** On which processors control groups run, and how much of them they have used. */
export class CgroupProcessors {
  /** The core that each is a thread of. */
  readonly cores: ReadonlyMap<number, string>;
  readonly #layout: CgroupLayout;
  readonly #apart: ReadonlySet<number>;
  readonly #alike: boolean;
  #interrupts: { readonly at: number; readonly counts: ReadonlyMap<number, number> } | undefined;

  constructor(layout: CgroupLayout) {
    this.#layout = layout;
    this.#apart = new Set(APART.flatMap((file) => parseProcessors(read(CPU, file))));
    const present = parseProcessors(read(CPU, 'present'));
    const of = (processor: number, file: string): string => read(`${CPU}/cpu${processor}`, file).trim();
    this.cores = new Map(
      present.flatMap((processor) => {
        const threads = of(processor, 'topology/thread_siblings_list');
        return threads === '' ? [] : [[processor, threads]];
      }),
    );
    this.#alike =
      !existsSync(SLOW_CORES) && new Set(present.map((each) => of(each, 'cpu_capacity'))).size <= 1;
  }

  /** Seconds of processor time of the group and all below it; 0 where it is not there. */
  used(path: string): number {
    const { controllers, unified } = this.#layout;
    const folder = (root: string | undefined) => (root === undefined ? undefined : join(root, path));
    return cpuSecondsOf({ unified: folder(unified), cpuacct: folder(controllers.cpuacct) });
  }

  /** Those that the group's tasks may run on; none where the host has no such control. */
  of(path: string): number[] {
    const root = this.#layout.controllers.cpuset;
    if (root === undefined) return [];
    const file = root === this.#layout.unified ? 'cpuset.cpus.effective' : 'cpuset.cpus';
    return parseProcessors(read(join(root, path), file));
  }

  /** Of those, the ones that the kernel shares out by itself; none where some are slower than others. */
  shared(path: string): number[] {
    if (!this.#alike) return [];
    return this.of(path).filter((processor) => !this.#apart.has(processor));
  }

  /** Keeps the group's tasks on these; undefined: on all that the group above it has. @throws an error with an errno code */
  keep(path: string, processors: readonly number[] | undefined): void {
    const root = this.#layout.controllers.cpuset;
    if (root === undefined) return;
    // A list that is set cannot be emptied while tasks are in the group (ENOSPC): on v2 one of all that may ever be there is
    // as good, as what counts is what the groups above have of it.
    const all =
      root === this.#layout.unified
        ? read(CPU, 'possible').trim()
        : read(join(root, dirname(path)), 'cpuset.cpus').trim();
    writeFileSync(join(root, path, 'cpuset.cpus'), `${processors?.join(',') ?? all}\n`);
  }

  /** Interrupts of devices that each has had, as they were a minute ago at most: on large hosts that is a long file. */
  interrupts(): ReadonlyMap<number, number> {
    if (this.#interrupts === undefined || performance.now() - this.#interrupts.at > KNOWN_MS)
      this.#interrupts = { at: performance.now(), counts: interrupts() };
    return this.#interrupts.counts;
  }

  busySeconds(): ReadonlyMap<number, number> {
    return busySeconds();
  }
}
