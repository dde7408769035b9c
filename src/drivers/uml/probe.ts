import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MullionError } from '../../contract/errors.ts';
import { TECHNIQUE_FACTS } from '../../contract/technique-table.ts';
import type { TechniqueReport } from '../../contract/techniques.ts';
import { run } from '../../host/run.ts';
import { virtualizationFacts } from '../../host/virtualization.ts';
import { rememberedVerdict } from '../verdicts/verdicts.ts';
import { PROGRAM } from './command-line.ts';
import { FEATURES } from './features.ts';
import { preload } from './preload.ts';
import { PROBE_TEXT, probeInitramfs } from './probe-init.ts';

const TIME_LIMIT_MS = 60_000;
const INSTALL = 'Install User-Mode Linux: apt-get install user-mode-linux (mullion quickstart does it)';
const PARTITIONS = 'CONFIG_CMDLINE_PARTITION';
/** An id that owns nothing. */
const NOBODY = '65534';

/** How a guest of one small program fared. */
export interface Trial {
  readonly outcome: 'ran' | 'silent' | 'failed';
  /** The last words of its kernel. */
  readonly message: string;
}

export interface ProbeFacts {
  /** The release of the kernel that the program is; undefined when it is not installed. */
  readonly version: string | undefined;
  readonly cpuModel: string;
  /** It makes partitions that its command line tells of: the disk is one (command-line.ts). */
  readonly partitions: boolean;
  readonly trial: Trial | undefined;
}

/** Probes by running a guest, and remembers a good verdict for as long as kernel, processor and program stay the same. */
export async function probeUml(cacheFile: string, anew: boolean): Promise<TechniqueReport> {
  const version = await umlVersion();
  const { cpuModel } = virtualizationFacts();
  const key = [release(), cpuModel, version].join('|');
  return rememberedVerdict(cacheFile, key, anew, async () => {
    const partitions = version !== undefined && (await makesPartitions());
    const trial = partitions ? await tryGuest() : undefined;
    return judge({ version, cpuModel, partitions, trial });
  });
}

/** The verdict on what was found. */
export function judge({ version, cpuModel, partitions, trial }: ProbeFacts): TechniqueReport {
  const report = (
    state: TechniqueReport['state'],
    reason: string,
    remedy: string,
    ...evidence: string[]
  ): TechniqueReport => ({
    id: 'kernel',
    name: TECHNIQUE_FACTS.kernel.name,
    driver: 'uml',
    state,
    reason,
    remedy,
    evidence: [
      version === undefined ? `${PROGRAM} is not installed` : `User-Mode Linux ${version}`,
      cpuModel,
      ...evidence,
    ],
    features: FEATURES,
  });
  if (version === undefined) return report('undetected', 'User-Mode Linux is not installed.', INSTALL);
  if (!partitions) {
    return report(
      'unhealthy',
      'User-Mode Linux is installed, but makes no partitions of a disk.',
      "Use Debian's: apt-get install --reinstall user-mode-linux",
      `it is built without ${PARTITIONS}`,
    );
  }
  switch (trial?.outcome) {
    case 'ran':
      return report('healthy', 'A program ran in a guest.', '', `a test guest said: ${PROBE_TEXT}`);
    case 'silent':
    case 'failed':
    case undefined: {
      const said =
        trial?.outcome === 'silent'
          ? `a test guest said nothing within ${TIME_LIMIT_MS / 1000} seconds`
          : `its last words: ${trial?.message || 'none'}`;
      return report(
        'unhealthy',
        'User-Mode Linux is installed, but no program runs under it.',
        remedyFor(said),
        said,
      );
    }
  }
}

function remedyFor(said: string): string {
  if (/set fp regs failed/.test(said)) {
    return 'Boot the host without AMX (kernel parameter clearcpuid=amx_tile), or use a newer User-Mode Linux';
  }
  if (/ptrace|not permitted/i.test(said)) {
    return 'Let processes trace their children: sysctl kernel.yama.ptrace_scope=1, and no seccomp filter that denies ptrace';
  }
  return 'Reinstall it: apt-get install --reinstall user-mode-linux; until then use the technique full';
}

const makesPartitions = async (): Promise<boolean> =>
  (await run([PROGRAM, '--showconfig'], { timeoutMs: TIME_LIMIT_MS })).stdout.includes(`${PARTITIONS}=y`);

async function umlVersion(): Promise<string | undefined> {
  try {
    return (await run([PROGRAM, '--version'], { timeoutMs: TIME_LIMIT_MS })).stdout.trim();
  } catch (failure) {
    if (failure instanceof MullionError && failure.code === 'host_unfit') return undefined;
    throw failure;
  }
}

/** Runs a guest of one program as an ordinary user, in namespaces that take every process of it along when they end. */
async function tryGuest(): Promise<Trial> {
  const folder = await mkdtemp(join(tmpdir(), 'mullion-probe-'));
  try {
    const files = { initramfs: join(folder, 'initramfs'), preload: join(folder, 'preload.so') };
    await writeFile(files.initramfs, probeInitramfs(), { mode: 0o644 });
    await writeFile(files.preload, preload(), { mode: 0o644 });
    await run(['chmod', '0755', folder]);
    const argv = [
      ...['unshare', '--pid', '--mount', '--net', '--ipc', '--fork', '--kill-child', '--'],
      // Another id forgets which signal a parent's end brings: it is asked for again.
      ...['setpriv', '--reuid', NOBODY, '--regid', NOBODY, '--clear-groups', '--no-new-privs'],
      ...['--pdeathsig', 'KILL', '--'],
      ...['env', `LD_PRELOAD=${files.preload}`, 'HOME=/nonexistent', 'TMPDIR=/dev/shm'],
      ...[PROGRAM, 'mem=64M', `initrd=${files.initramfs}`, 'uml_dir=/dev/shm', 'con=null', 'ssl=null'],
      ...['con0=null,fd:1', 'console=tty0', 'quiet', 'pty.legacy_count=0', 'noreboot'],
    ];
    const { stdout } = await run(argv, { timeoutMs: TIME_LIMIT_MS, okCodes: [0, 1, 134] });
    if (stdout.includes(PROBE_TEXT)) return { outcome: 'ran', message: '' };
    return { outcome: 'failed', message: lastWords(stdout) };
  } catch (failure) {
    if (!(failure instanceof MullionError)) throw failure;
    if (failure.code === 'timeout') return { outcome: 'silent', message: '' };
    return { outcome: 'failed', message: failure.message };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The line that tells most, of what a kernel says before it dies. */
function lastWords(output: string): string {
  const lines = output.split('\n').map((line) => line.replace(/^<\d>/, '').trim());
  const telling = lines.find((line) => /failed|panic|not permitted/i.test(line));
  return (telling ?? lines.filter(Boolean).at(-1) ?? '').slice(0, 200);
}
