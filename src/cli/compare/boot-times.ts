/** What systemd tells of a boot, in seconds of the guest's own clock (systemd, D-Bus API of the manager). */
export interface BootTimes {
  readonly userspace: number;
  /** Undefined while units are being started. */
  readonly ready: number | undefined;
}

export const BOOT_TIMES_ARGV: readonly string[] = [
  'systemctl',
  'show',
  '--property=UserspaceTimestampMonotonic',
  '--property=FinishTimestampMonotonic',
];

export function parseBootTimes(output: string): BootTimes | undefined {
  const seconds = (name: string): number | undefined => {
    const microseconds = Number(new RegExp(`^${name}TimestampMonotonic=(\\d+)$`, 'm').exec(output)?.[1]);
    return microseconds > 0 ? microseconds / 1e6 : undefined;
  };
  const userspace = seconds('Userspace');
  return userspace === undefined ? undefined : { userspace, ready: seconds('Finish') };
}

/** Its own start in clock ticks since boot (proc(5), stat field 22): the guest's clock now, which no lxcfs changes. */
export const CLOCK_ARGV: readonly string[] = ['cut', '-d ', '-f22', '/proc/self/stat'];
/** USER_HZ, the unit of these ticks, on every processor that Debian runs on (time(7)). */
const TICKS = 100;

/** A look at the guest's clock, between two looks at ours, in seconds. */
export interface ClockLook {
  readonly asked: number;
  readonly answered: number;
  readonly guest: number;
}

export function parseClock(output: string): number | undefined {
  const ticks = Number(/^(\d+)\s*$/.exec(output)?.[1]);
  return ticks > 0 ? ticks / TICKS : undefined;
}

/** What is to be added to a time of the guest's clock to have it on ours: from the look that took the least time. */
export function clockOffset(looks: readonly ClockLook[]): number | undefined {
  const [best] = [...looks].sort((a, b) => a.answered - a.asked - (b.answered - b.asked));
  return best === undefined ? undefined : (best.asked + best.answered) / 2 - best.guest;
}
