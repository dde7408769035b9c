import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { TECHNIQUE_FACTS } from '../../contract/technique-table.ts';
import type { Technique, TechniqueReport } from '../../contract/techniques.ts';
import { run } from '../../host/run.ts';
import { type VirtualizationFacts, virtualizationFacts } from '../../host/virtualization.ts';
import { rememberedVerdict } from '../verdicts/verdicts.ts';
import { accelerator, PROGRAM, SANDBOX } from './command-line.ts';
import { FEATURES } from './features.ts';
import { PROBE_GUEST_EXIT_CODE, PROBE_GUEST_TEXT, probeGuestImage } from './probe-guest.ts';

/** For QEMU to start and end without a guest: a host may be slow, and that is no fault. */
const START_LIMIT_MS = 60_000;
const GUEST_LIMIT_MS = 3_000;
/** The architecture of every machine, by Node's name. */
const MACHINES = 'x64';
const INSTALL = 'Install QEMU: apt-get install qemu-system-x86 (mullion quickstart does it)';

/** How a guest of a few bytes fared. */
export interface Trial {
  readonly outcome: 'ran' | 'silent' | 'failed';
  /** How long the guest had, in milliseconds. */
  readonly limitMs: number;
  /** QEMU's last words. */
  readonly message: string;
}

export interface ProbeFacts {
  /** Of the host, by Node's name. */
  readonly architecture: string;
  /** First line of QEMU's --version; undefined when it is not installed. */
  readonly version: string | undefined;
  readonly host: VirtualizationFacts;
  readonly trial: Trial | undefined;
}

/**
 * How long a guest of a few bytes may take on a host where QEMU alone takes `startMs`: one that hangs takes for ever on
 * any host, and one that only is slow takes as long as the host is slow.
 */
export const guestLimit = (startMs: number): number => GUEST_LIMIT_MS + Math.ceil(startMs * 4);

/** Probes by running a guest, and remembers a good verdict for as long as kernel, processor and QEMU stay the same. */
export async function probeTechnique(
  technique: Technique,
  cacheFile: string,
  anew: boolean,
): Promise<TechniqueReport> {
  const { arch: architecture } = process;
  const version = await qemuVersion();
  const host = virtualizationFacts();
  const key = [technique, release(), host.cpuModel, host.kvmDevice, host.kvmModules.join('+'), version].join(
    '|',
  );
  const runnable =
    architecture === MACHINES &&
    version !== undefined &&
    (technique === 'full' || host.kvmDevice === 'present');
  return rememberedVerdict(cacheFile, key, anew, async () => {
    const trial = runnable ? await tryGuest(technique) : undefined;
    return judge(technique, { architecture, version, host, trial });
  });
}

/** The verdict on what was found. */
export function judge(
  technique: Technique,
  { architecture, version, host, trial }: ProbeFacts,
): TechniqueReport {
  const report = (
    state: TechniqueReport['state'],
    reason: string,
    remedy: string,
    ...evidence: string[]
  ): TechniqueReport => ({
    id: technique,
    name: TECHNIQUE_FACTS[technique].name,
    driver: 'qemu',
    state,
    reason,
    remedy,
    evidence: [version ?? `${PROGRAM} is not installed`, ...evidence],
    features: FEATURES,
  });
  const extensions = host.cpuExtensions.length === 0 ? 'neither svm nor vmx' : host.cpuExtensions.join(', ');
  const device = `/dev/kvm is ${host.kvmDevice}${host.kvmModules.length > 0 ? ` (${host.kvmModules.join(', ')})` : ''}`;
  const evidence = technique === 'hardware' ? [`${host.cpuModel}: ${extensions}`, device] : [];
  if (architecture !== MACHINES) {
    return report(
      'undetected',
      `Its machines are x86-64, and this host is ${architecture}.`,
      'Use the technique os, or a host of x86-64',
      ...evidence,
    );
  }
  if (version === undefined) return report('undetected', 'QEMU is not installed.', INSTALL, ...evidence);
  if (technique === 'hardware' && host.kvmDevice !== 'present') {
    const remedy =
      host.kvmDevice === 'forbidden'
        ? 'Let the daemon open /dev/kvm: run it as root'
        : 'Switch virtualization on in the firmware and load the module: modprobe kvm_amd, or kvm_intel';
    return report('undetected', `The device /dev/kvm is ${host.kvmDevice}.`, remedy, ...evidence);
  }
  switch (trial?.outcome) {
    case 'ran':
      return report(
        'healthy',
        'A 64-bit guest ran.',
        '',
        ...evidence,
        `a test guest said: ${PROBE_GUEST_TEXT}`,
      );
    case 'silent':
    case 'failed':
    case undefined: {
      const said =
        trial?.outcome === 'silent'
          ? `a test guest said nothing within ${Math.ceil(trial.limitMs / 1000)} seconds`
          : `QEMU ended with: ${trial?.message || 'no message'}`;
      const reason =
        technique === 'hardware'
          ? 'The device /dev/kvm is there, but an ordinary 64-bit guest does not run under it.'
          : 'QEMU does not run a test guest.';
      const remedy =
        technique === 'hardware'
          ? 'Use a host whose processor has AMD-V or VT-x, not one whose KVM is paravirtual; until then use the technique full'
          : INSTALL.replace('Install', 'Reinstall');
      return report('unhealthy', reason, remedy, ...evidence, said);
    }
  }
}

async function qemuVersion(): Promise<string | undefined> {
  try {
    return (await run([PROGRAM, '--version'], { timeoutMs: START_LIMIT_MS })).stdout.split('\n')[0] ?? '';
  } catch (failure) {
    if (failure instanceof MullionError && failure.code === 'host_unfit') return undefined;
    throw failure;
  }
}

/** Runs the firmware of a few bytes with the very accelerator and processor that a machine would get. */
async function tryGuest(technique: Technique): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), 'mullion-probe-'));
  let limitMs = guestLimit(0);
  try {
    const firmware = join(folder, 'guest.bin');
    await writeFile(firmware, probeGuestImage());
    const machine = machineArguments(technique, firmware);
    const began = performance.now();
    const idle = [...machine, '-S', '-monitor', 'stdio'];
    const started = await attempt(idle, START_LIMIT_MS, 'quit\n');
    limitMs = guestLimit(performance.now() - began);
    if (started.outcome !== 'ended') return { outcome: 'failed', limitMs, message: started.message };
    const guest = [
      ...machine,
      ...['-chardev', 'stdio,id=text,signal=off', '-device', 'isa-debugcon,chardev=text,iobase=0xe9'],
      ...['-device', 'isa-debug-exit,iobase=0xf4,iosize=1'],
    ];
    const ended = await attempt(guest, limitMs);
    if (ended.outcome === 'failed') return { outcome: 'failed', limitMs, message: ended.message };
    const ran = ended.outcome === 'ended' && ended.message.includes(PROBE_GUEST_TEXT);
    return { outcome: ran ? 'ran' : 'silent', limitMs, message: '' };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function machineArguments(technique: Technique, firmware: string): string[] {
  const { accel, cpu } = accelerator(technique);
  return [
    // A daemon that is killed while it probes takes the guest along.
    ...['setpriv', '--pdeathsig', 'KILL', '--', PROGRAM],
    ...['-nodefaults', '-no-user-config', '-display', 'none', '-sandbox', SANDBOX],
    ...['-machine', 'q35', '-accel', accel, '-cpu', cpu, '-m', '16', '-bios', firmware],
  ];
}

/** Runs QEMU to its end; `message` is what it printed, or why it failed. */
async function attempt(
  argv: readonly string[],
  timeoutMs: number,
  stdin?: string,
): Promise<{ outcome: 'ended' | 'late' | 'failed'; message: string }> {
  try {
    const { stdout } = await run(argv, { timeoutMs, stdin, okCodes: [0, PROBE_GUEST_EXIT_CODE] });
    return { outcome: 'ended', message: stdout };
  } catch (failure) {
    if (!(failure instanceof MullionError)) throw failure;
    return { outcome: failure.code === 'timeout' ? 'late' : 'failed', message: failure.message };
  }
}
