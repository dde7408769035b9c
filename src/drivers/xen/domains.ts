import { run } from '../../host/run.ts';
import type { Condition, MachineEnd } from '../driver.ts';

/** A domain as `xl list --verbose` shows it. */
export interface Domain {
  readonly name: string;
  readonly id: number;
  readonly memoryMib: number;
  readonly cpus: number;
  readonly state: { readonly paused: boolean; readonly shutdown: boolean; readonly dying: boolean };
  readonly cpuSeconds: number;
  readonly uuid: string;
  /** Why it shut down (Xen, public/sched.h, SHUTDOWN_*); undefined while it has not. */
  readonly shutdownReason: number | undefined;
}

/** A toolstack takes its time where a host has just begun, and more where that host is emulated. */
const LIST_MS = 60_000;

const SHUTDOWN = { poweroff: 0, reboot: 1, suspend: 2, crash: 3, watchdog: 4 } as const;
/** The fifth letter of the state tells why it shut down (xl(1), STATES). */
const LINE = /^(\S+)\s+(\d+)\s+(\d+)\s+(\d+)\s+([\w-]{6})\s+([\d.]+)\s+([0-9a-f-]{36})\s+([0-9a-f]+|-)\s/;

/** Lines of a name that does not fit are left out: such a domain is not ours. */
export function parseDomains(text: string): Domain[] {
  return text.split('\n').flatMap((line) => {
    const [, name = '', id, memory, cpus, state = '', seconds, uuid = '', reason = '-'] =
      LINE.exec(`${line} `) ?? [];
    if (id === undefined) return [];
    return {
      name,
      id: Number(id),
      memoryMib: Number(memory),
      cpus: Number(cpus),
      state: {
        paused: state[2] === 'p',
        shutdown: state[3] === 's',
        dying: state[5] === 'd',
      },
      cpuSeconds: Number(seconds),
      uuid,
      shutdownReason: reason === '-' ? undefined : Number.parseInt(reason, 16),
    };
  });
}

export const listDomains = async (): Promise<Domain[]> =>
  parseDomains((await run(['xl', 'list', '--verbose'], { timeoutMs: LIST_MS })).stdout);

/** @param started whether its guest was let run */
export function conditionOf(domain: Domain | undefined, started: boolean): Condition {
  if (domain === undefined || hasEnded(domain)) return 'gone';
  if (!started) return 'prepared';
  return standsStill(domain) ? 'paused' : 'running';
}

/** A guest that lays itself to sleep, for its memory to be saved, has shut down for the hypervisor. */
export const isAsleep = ({ state, shutdownReason }: Domain): boolean =>
  state.shutdown && shutdownReason === SHUTDOWN.suspend;

export const standsStill = (domain: Domain): boolean => domain.state.paused || isAsleep(domain);

export const hasEnded = (domain: Domain): boolean =>
  domain.state.dying || (domain.state.shutdown && !isAsleep(domain));

/** How a domain ended, which may be gone altogether. */
export function endOf(domain: Domain | undefined): MachineEnd {
  switch (domain?.shutdownReason) {
    case SHUTDOWN.poweroff:
      return { kind: 'poweroff', reason: 'the guest switched itself off' };
    case SHUTDOWN.reboot:
      return { kind: 'reboot', reason: 'the guest asked to start anew' };
    case SHUTDOWN.crash:
      return { kind: 'died', reason: "the guest's kernel crashed" };
    case SHUTDOWN.watchdog:
      return { kind: 'died', reason: "the guest's watchdog ended it" };
    default:
      return { kind: 'died', reason: 'the domain was destroyed' };
  }
}
