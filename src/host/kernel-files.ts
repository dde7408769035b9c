import { existsSync, lstatSync, opendirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of this host's kernel, for what guests see in their place. */
export interface KernelFiles {
  /** Names below /proc, without those of processes. */
  readonly names: readonly string[];
  /** Content of /proc/cgroups. */
  readonly controllers: string;
  /** Content of /sys/kernel/cgroup/delegate and of features beside it; empty where absent. */
  readonly delegate: string;
  readonly features: string;
}

export function readKernelFiles(names: readonly string[]): KernelFiles {
  const text = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return {
    names,
    controllers: text('/proc/cgroups'),
    delegate: text('/sys/kernel/cgroup/delegate'),
    features: text('/sys/kernel/cgroup/features'),
  };
}

/** Names below /proc, without those of processes; these come last, and are not waited for, however many they are. */
export function kernelFileNames(): string[] {
  const folder = opendirSync('/proc');
  try {
    const names: string[] = [];
    for (;;) {
      const entry = folder.readSync();
      if (entry === null || /^\d+$/.test(entry.name)) return names;
      names.push(entry.name);
    }
  } finally {
    folder.closeSync();
  }
}

/** Whether this kernel has a file or a folder there, and no link. */
export function isKernelFile(path: string): boolean {
  const there = lstatSync(join('/proc', path), { throwIfNoEntry: false });
  return there !== undefined && !there.isSymbolicLink();
}
