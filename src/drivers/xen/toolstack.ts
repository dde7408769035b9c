import { MullionError } from '../../contract/errors.ts';
import { run } from '../../host/run.ts';

const MAKE_MS = 120_000;
const SAVE_MS = 10 * 60_000;

/** What `xl info` says. */
export interface HypervisorInfo {
  readonly version: string;
  readonly cpus: number;
  readonly scheduler: string;
  readonly virtCaps: readonly string[];
  readonly freeMemoryMib: number;
}

export function parseInfo(text: string): HypervisorInfo {
  const field = (name: string): string =>
    new RegExp(`^${name}\\s*: *(.*)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  return {
    version: field('xen_version'),
    cpus: Number(field('nr_cpus')) || 1,
    scheduler: field('xen_scheduler'),
    virtCaps: field('virt_caps').split(/\s+/).filter(Boolean),
    freeMemoryMib: Number(field('free_memory')) || 0,
  };
}

/** @throws MullionError `host_unfit` without xl, `command_failed` when the toolstack does not run */
export const hypervisorInfo = async (): Promise<HypervisorInfo> =>
  parseInfo((await run(['xl', 'info'], { timeoutMs: 20_000 })).stdout);

/** Makes a domain that is paused before its first instruction, and leaves no process behind. */
export const createDomain = (configuration: string, name: string): Promise<void> =>
  make(['create', '-p', '-e', '-q', configuration], name);

/** Makes a domain that is paused where the one stood whose memory is in the file. */
export const restoreDomain = (configuration: string, name: string, memory: string): Promise<void> =>
  make(['restore', '-p', '-e', configuration, memory], name);

async function make(words: readonly string[], name: string): Promise<void> {
  try {
    await run(['xl', ...words], { timeoutMs: MAKE_MS });
  } catch (cause) {
    const output = cause instanceof MullionError ? String(cause.details?.stderr ?? '').trim() : '';
    await destroyDomain(name);
    throw new MullionError(
      'start_failed',
      `Xen did not make the domain: ${output.split('\n').at(-1) || String(cause)}`,
      {
        details: { output: output.slice(-2000) },
        cause,
      },
    );
  }
}

/**
 * Writes a domain's memory into a file, and leaves the domain paused. Its guest must run, as it lays itself to sleep. What
 * nobody waits for any more is cut off, as its domain may have changed by the time that it is asked for next.
 */
export const saveDomain = (name: string, memory: string): Promise<void> =>
  toolstack(['setpriv', '--pdeathsig', 'KILL', 'xl', 'save', '-p', name, memory], SAVE_MS);

/** One that is not there is fine. */
export async function destroyDomain(name: string): Promise<void> {
  await onDomain(['destroy', name]);
}

export const unpauseDomain = (name: string): Promise<void> => onDomain(['unpause', name]);
export const pauseDomain = (name: string): Promise<void> => onDomain(['pause', name]);

/** Asks the guest's kernel to switch the machine off. */
export const askDomainToEnd = (name: string): Promise<void> => onDomain(['shutdown', name]);

/** Tells the guest to give memory back, or lets it take more; in MiB. */
export const setDomainMemory = (name: string, mebibytes: number): Promise<void> =>
  onDomain(['mem-set', name, `${mebibytes}m`]);

export const setDomainProcessors = (name: string, count: number): Promise<void> =>
  onDomain(['vcpu-set', name, String(count)]);

/** @param percent of one processor */
export const setDomainCap = (name: string, scheduler: string, percent: number): Promise<void> =>
  onDomain([scheduler === 'credit' ? 'sched-credit' : 'sched-credit2', '-d', name, '-c', String(percent)]);

async function toolstack(argv: readonly string[], timeoutMs: number): Promise<void> {
  await run(argv, { name: 'xl', timeoutMs });
}

const GONE = /invalid domain|does not exist|is an invalid domain identifier|No such domain/i;

async function onDomain(words: readonly string[]): Promise<void> {
  try {
    await toolstack(['xl', ...words], 60_000);
  } catch (failure) {
    if (
      words[0] === 'destroy' &&
      failure instanceof MullionError &&
      GONE.test(String(failure.details?.stderr))
    )
      return;
    throw failure;
  }
}
