import {
  BOOT_TIMES_ARGV,
  type BootTimes,
  CLOCK_ARGV,
  type ClockLook,
  clockOffset,
  parseBootTimes,
  parseClock,
} from './boot-times.ts';
import type { Guest } from './guest.ts';

const READY_MS = 300_000;
const GRACE_MS = 120_000;
const ASK_MS = 100;
/** As a shell tells it. */
const NO_PROGRAM = 127;

const now = (): number => performance.now() / 1000;

/** Whatever runs commands. */
export type Commanded = Pick<Guest, 'run' | 'rest'>;

/** systemd's own times on our clock, in seconds, once it has started all units. */
export async function bootTimes(guest: Commanded, looks: number): Promise<BootTimes | undefined> {
  const boot = await readiness(guest);
  const seen: ClockLook[] = [];
  for (let look = 0; look < looks; look += 1) {
    const asked = now();
    const clock = parseClock((await guest.run(CLOCK_ARGV, GRACE_MS)).output);
    if (clock !== undefined) seen.push({ asked, answered: now(), guest: clock });
  }
  const offset = clockOffset(seen);
  if (boot === undefined || offset === undefined) return undefined;
  return {
    userspace: boot.userspace + offset,
    ready: boot.ready === undefined ? undefined : boot.ready + offset,
  };
}

/** Before its bus is up, systemctl(1) cannot wait, and is asked again. */
async function readiness(guest: Commanded): Promise<BootTimes | undefined> {
  const deadline = performance.now() + READY_MS;
  for (;;) {
    await guest.run(['systemctl', 'is-system-running', '--wait'], READY_MS);
    const { code, output } = await guest.run(BOOT_TIMES_ARGV, GRACE_MS);
    const boot = parseBootTimes(output);
    if (boot?.ready !== undefined || code === NO_PROGRAM || performance.now() > deadline) return boot;
    await guest.rest(ASK_MS);
  }
}
