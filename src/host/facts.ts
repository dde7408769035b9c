import { existsSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';

export interface HostFacts {
  readonly cpus: number;
  /** Bytes. */
  readonly memoryTotal: number;
  /** Bytes that new processes can have without swapping. */
  readonly memoryAvailable: number;
  /** Release, for example 6.1.0-18-amd64. */
  readonly kernel: string;
  /** As Debian calls it: amd64, arm64. */
  readonly architecture: string;
  /** For people, for example Debian GNU/Linux 12 (bookworm). */
  readonly distribution: string;
  /** Its model, for people. */
  readonly processor: string;
  readonly bootId: string;
  readonly initSystem: 'systemd' | 'other';
}

const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', ia32: 'i386', arm: 'armhf' };

export function hostFacts(): HostFacts {
  const memory = parseMemInfo(readFileSync('/proc/meminfo', 'utf8'));
  steady ??= steadyFacts();
  return {
    ...steady,
    cpus: availableParallelism(),
    memoryTotal: memory.MemTotal ?? 0,
    memoryAvailable: memory.MemAvailable ?? 0,
  };
}

type SteadyFacts = Omit<HostFacts, 'cpus' | 'memoryTotal' | 'memoryAvailable'>;
/** They are asked for at every launch. */
let steady: SteadyFacts | undefined;

const steadyFacts = (): SteadyFacts => ({
  kernel: release(),
  architecture: ARCHITECTURES[process.arch] ?? process.arch,
  distribution: osRelease().PRETTY_NAME ?? 'unknown',
  processor: cpus()[0]?.model.trim() || 'unknown',
  bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
  initSystem: existsSync('/run/systemd/system') ? 'systemd' : 'other',
});

/** os-release(5) of this host; empty when it has none. */
export function osRelease(): Record<string, string> {
  const path = ['/etc/os-release', '/usr/lib/os-release'].find((candidate) => existsSync(candidate));
  return path === undefined ? {} : parseOsRelease(readFileSync(path, 'utf8'));
}

/** proc(5), /proc/meminfo, in bytes. */
export function parseMemInfo(text: string): Record<string, number> {
  const entries = [...text.matchAll(/^(\S+):\s+(\d+)( kB)?$/gm)];
  return Object.fromEntries(
    entries.map(([, name, value, unit]) => [name ?? '', Number(value) * (unit === undefined ? 1 : 1024)]),
  );
}

/** os-release(5): shell assignments without substitution. */
export function parseOsRelease(text: string): Record<string, string> {
  const entries = [...text.matchAll(/^([A-Z][A-Z0-9_]*)=(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|(\S*))\s*$/gm)];
  return Object.fromEntries(
    entries.map(([, key, double, single, bare]) => [
      key ?? '',
      (double ?? single ?? bare ?? '').replaceAll(/\\(.)/g, '$1'),
    ]),
  );
}
