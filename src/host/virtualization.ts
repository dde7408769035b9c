import { createHash } from 'node:crypto';
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';

export interface VirtualizationFacts {
  /** As /proc/cpuinfo names the first processor. */
  readonly cpuModel: string;
  /** Of `svm` (AMD-V) and `vmx` (VT-x), what the processor shows. */
  readonly cpuExtensions: readonly string[];
  readonly kvmDevice: 'absent' | 'forbidden' | 'present';
  /** Loaded or built-in modules whose names begin with kvm. */
  readonly kvmModules: readonly string[];
}

/** What this host says of itself; no proof that a virtual machine runs. */
export function virtualizationFacts(): VirtualizationFacts {
  return {
    ...parseCpuInfo(readFileSync('/proc/cpuinfo', 'utf8')),
    kvmDevice: kvmDevice(),
    kvmModules: readdirSync('/sys/module')
      .filter((name) => name.startsWith('kvm'))
      .sort(),
  };
}

/** proc(5), /proc/cpuinfo. */
export function parseCpuInfo(text: string): Pick<VirtualizationFacts, 'cpuModel' | 'cpuExtensions'> {
  const field = (name: string): string => new RegExp(`^${name}\\s*:\\s*(.*)$`, 'm').exec(text)?.[1] ?? '';
  const flags = field('flags').split(' ');
  return {
    cpuModel: field('model name') || 'unknown processor',
    cpuExtensions: ['svm', 'vmx'].filter((flag) => flags.includes(flag)),
  };
}

/** Whether the processors' counter always runs at one speed, also while they sleep (proc(5), /proc/cpuinfo). */
export const hasSteadyCounter = (cpuInfo = readFileSync('/proc/cpuinfo', 'utf8')): boolean => {
  const flags = /^flags\s*:\s*(.*)$/m.exec(cpuInfo)?.[1]?.split(' ') ?? [];
  return flags.includes('constant_tsc') && flags.includes('nonstop_tsc');
};

function kvmDevice(): VirtualizationFacts['kvmDevice'] {
  if (!existsSync('/dev/kvm')) return 'absent';
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return 'present';
  } catch {
    return 'forbidden';
  }
}

/** Tells processors apart on which a program may find other instructions: the first one's kind and what it can. */
export function processorIdentity(): string {
  const [first = ''] = readFileSync('/proc/cpuinfo', 'utf8').split('\n\n');
  const told = first
    .split('\n')
    .filter((line) =>
      /^(vendor_id|cpu family|model|model name|stepping|flags|Features|CPU \w+)\s*:/.test(line),
    );
  return createHash('sha256').update(told.join('\n')).digest('hex');
}
