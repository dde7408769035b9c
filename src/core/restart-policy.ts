import type { RestartPolicy } from '../contract/restart-policies.ts';

/** How a machine ended: the guest switched itself off, asked to start anew, or was lost. */
export type EndKind = 'poweroff' | 'reboot' | 'died';

/** Starts that followed an end by themselves, one soon after the other. */
export interface Revival {
  readonly count: number;
  /** When the next start is due (RFC 3339); null: none is. */
  readonly due: string | null;
}
export const NO_REVIVAL: Revival = { count: 0, due: null };

/** A guest that ran so long begins anew with the shortest wait. */
export const STEADY_MS = 60_000;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 300_000;

/** Whether a guest that ended so is started again. A reboot is the guest's own wish, as of any machine. */
export function startsAgain(kind: EndKind, policy: RestartPolicy): boolean {
  switch (kind) {
    case 'reboot':
      return true;
    case 'died':
      return policy !== 'no';
    case 'poweroff':
      return policy === 'always';
  }
}

/**
 * When a guest that ended is started again: a reboot at once, else after a wait that doubles with each start that was
 * followed by another end within a minute.
 */
export function revivalAfter(
  kind: EndKind,
  policy: RestartPolicy,
  before: Revival,
  ranMs: number,
  nowMs: number,
): Revival {
  if (!startsAgain(kind, policy)) return NO_REVIVAL;
  const count = ranMs >= STEADY_MS ? 1 : before.count + 1;
  const exponent = kind === 'reboot' ? count - 2 : count - 1;
  const wait = exponent < 0 ? 0 : Math.min(FIRST_WAIT_MS * 2 ** Math.min(exponent, 20), LONGEST_WAIT_MS);
  return { count, due: new Date(nowMs + wait).toISOString() };
}
