/** One ring of tests: the files it holds and how they run. */
export interface Ring {
  readonly name: string;
  readonly files: readonly string[];
  /** Only files that run a suite of test/conformance, or only those that do not; all when absent. */
  readonly conformance?: boolean;
  /** Test files that run at one time. */
  readonly concurrency: number;
  /** Files share so many processes as run at one time, instead of having one each: starting one takes longer than most. */
  readonly shared?: boolean;
  /** Names of files that take longest: begun first, so that none of them is left alone at the end. */
  readonly longest?: readonly string[];
  /** It runs on machines that are emulated for it, which takes long: `npm test` leaves some of it out. */
  readonly elsewhere?: boolean;
  /** Milliseconds that one test may take before it counts as failed. */
  readonly timeoutMs: number;
}

const words = (...lines: readonly string[]): string[] => lines.flatMap((line) => line.split(' '));

export const RINGS = {
  unit: {
    name: 'unit',
    files: ['src/**/*.test.ts', 'scripts/**/*.test.ts', 'test/bench/**/*.test.ts'],
    conformance: false,
    concurrency: 3,
    shared: true,
    longest: ['recovery', 'revival'],
    timeoutMs: 60_000,
  },
  conformance: {
    name: 'conformance',
    files: ['src/**/*.test.ts'],
    conformance: true,
    concurrency: 2,
    timeoutMs: 120_000,
  },
  kernel: {
    name: 'kernel',
    files: ['test/kernel/**/*.test.ts'],
    concurrency: 3,
    longest: words(
      'qemu-machine images-interrupted qemu uml uml-machine backup-interrupted backup-faults backup-blocks',
      'backup-restic storage qemu-debian storage-repair leak-score backup-sftp network',
    ),
    timeoutMs: 600_000,
  },
  e2e: {
    name: 'e2e',
    files: ['test/e2e/**/*.test.ts'],
    concurrency: 3,
    longest: words(
      'backup-disaster full convert machine-copies publish kernel warm foreign space-full backup killed-steps',
      'noisy-neighbours backup-killed images rates first-vps snapshots compare restart space',
    ),
    timeoutMs: 900_000,
  },
  /** Ways out of a VPS that its root tries. */
  escape: { name: 'escape', files: ['test/escape/**/*.test.ts'], concurrency: 2, timeoutMs: 600_000 },
  /** On hosts that are emulated, whose processor has AMD-V or whose Linux is a domain 0 of Xen. */
  nested: {
    name: 'nested',
    files: ['test/nested/**/*.test.ts'],
    // Each host has one processor, emulated by one thread.
    concurrency: 2,
    longest: words('para kvm-host drivers'),
    elsewhere: true,
    timeoutMs: 2_400_000,
  },
} as const satisfies Record<string, Ring>;

export type RingName = keyof typeof RINGS;
export const ringOf = (name: RingName): Ring => RINGS[name];
export const RING_NAMES = Object.keys(RINGS) as RingName[];
export const isRingName = (text: string): text is RingName => Object.hasOwn(RINGS, text);
