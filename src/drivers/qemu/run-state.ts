import * as z from 'zod';
import type { Condition } from '../driver.ts';
import type { QmpClient } from './qmp.ts';

const StatusSchema = z.object({ status: z.string() });
const AnySchema = z.unknown();

/** What QEMU says of its guest (QEMU, qapi/run-state.json, RunState), in a driver's words. */
export function conditionOf(status: string): Condition {
  switch (status) {
    case 'prelaunch':
    case 'inmigrate':
      return 'prepared';
    case 'paused':
    case 'finish-migrate':
    case 'postmigrate':
    case 'io-error':
    case 'suspended':
    case 'debug':
    case 'guest-panicked':
    case 'internal-error':
      return 'paused';
    default:
      return 'running';
  }
}

export async function queryCondition(monitor: QmpClient): Promise<Condition> {
  return conditionOf((await monitor.execute('query-status', {}, StatusSchema)).status);
}

/**
 * Of a disk: QEMU keeps a write that found no room (ENOSPC) and holds the guest still, which it tells of every other failure
 * (QEMU, -drive werror).
 */
export const HOLD_WITHOUT_ROOM = { werror: 'enospc' } as const;

/** Whether the guest is held still so. */
export async function isOutOfRoom(monitor: QmpClient): Promise<boolean> {
  return (await monitor.execute('query-status', {}, StatusSchema)).status === 'io-error';
}

/** Lets the guest run; a running one goes on. */
export async function letRun(monitor: QmpClient): Promise<void> {
  await monitor.execute('cont', {}, AnySchema);
}

export async function holdStill(monitor: QmpClient): Promise<void> {
  await monitor.execute('stop', {}, AnySchema);
}

/** Ends QEMU as if the power failed. */
export async function endAtOnce(monitor: QmpClient): Promise<void> {
  await monitor.execute('quit', {}, AnySchema);
}

/** The ACPI power button, which a guest may heed. */
export async function pressPowerButton(monitor: QmpClient): Promise<void> {
  await monitor.execute('system_powerdown', {}, AnySchema);
}
