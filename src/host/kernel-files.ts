import { existsSync, readdirSync, readFileSync } from 'node:fs';

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

export function readKernelFiles(): KernelFiles {
  const text = (path: string): string => (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return {
    names: readdirSync('/proc').filter((name) => !/^\d+$/.test(name)),
    controllers: text('/proc/cgroups'),
    delegate: text('/sys/kernel/cgroup/delegate'),
    features: text('/sys/kernel/cgroup/features'),
  };
}
