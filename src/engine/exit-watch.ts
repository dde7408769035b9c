import type { Handle, MachineEnd } from '../drivers/driver.ts';
import type { Context } from './context.ts';
import { followHealth } from './health.ts';
import { machineOf } from './machine.ts';

/**
 * Listens for the end of a VPS's machine and asks for its health, unless that is done already.
 * `onEnd` hears of an end that nobody here brought about.
 */
export function follow(context: Context, id: string, onEnd: (handle: Handle, end: MachineEnd) => void): void {
  const record = context.state.vps.get(id);
  const driver = record === undefined ? undefined : context.deps.drivers.get(record.technique);
  if (record === undefined || driver === undefined || record.runtime === null) return;
  if (context.watches.has(id) || context.closing.aborted) return;
  const { handle } = record.runtime;
  const machine = machineOf(context, record);
  const controller = new AbortController();
  // The listener may be called before onExit has returned.
  let stopListening = (): void => undefined;
  context.watches.set(id, () => {
    controller.abort();
    stopListening();
  });
  stopListening = driver.onExit(machine, handle, (end) => {
    if (controller.signal.aborted) return;
    context.watches.delete(id);
    controller.abort();
    onEnd(handle, end);
  });
  if (record.health === 'starting') void followHealth(context, id, machine, handle, controller.signal);
}
