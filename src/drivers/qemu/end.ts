import * as z from 'zod';
import { readTail } from '../console/console-log.ts';
import type { MachineEnd } from '../driver.ts';

const LOG_TAIL = 64 * 1024;
const GUEST_SHUTDOWN = 'guest-shutdown';
const ShutdownSchema = z.object({ reason: z.string().regex(/^[a-z-]{1,40}$/) });

/** QEMU's trace event, told on standard error, that a shutdown was asked for (QEMU, system/trace-events). */
export const SHUTDOWN_TRACE = 'qemu_system_shutdown_request';
/** Its number for a shutdown by the guest (QEMU, qapi/run-state.json, ShutdownCause, from 0). */
const GUEST_SHUTDOWN_NUMBER = 6;

/** What the data of QMP's event SHUTDOWN says; undefined when it cannot be read. */
export function endFromEvent(data: unknown): MachineEnd | undefined {
  const parsed = ShutdownSchema.safeParse(data);
  if (!parsed.success) return undefined;
  return parsed.data.reason === GUEST_SHUTDOWN
    ? { kind: 'poweroff', reason: 'the guest switched itself off' }
    : { kind: 'died', reason: `QEMU ended: ${parsed.data.reason}` };
}

/** How QEMU ended while nobody listened to it, from its own log. */
export async function endFromLog(path: string): Promise<MachineEnd> {
  // QEMU may have made it as long as it likes.
  return endFromLines(await readTail(path, LOG_TAIL).then(String, () => ''));
}

export function endFromLines(text: string): MachineEnd {
  const causes = [...text.matchAll(new RegExp(`${SHUTDOWN_TRACE}\\b.*?reason=(\\d+)`, 'g'))];
  return Number(causes.at(-1)?.[1]) === GUEST_SHUTDOWN_NUMBER
    ? { kind: 'poweroff', reason: 'the guest switched itself off' }
    : { kind: 'died', reason: 'the QEMU process ended' };
}
