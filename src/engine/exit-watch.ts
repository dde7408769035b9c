import type { Handle, MachineEnd } from '../drivers/driver.ts';
import type { Context } from './context.ts';
import { followHealth } from './health.ts';
import { machineOf } from './machine.ts';
import type { VpsRecord } from './records.ts';
import { followStalls } from './stall.ts';

/** Listens for the end of a VPS's machine and asks for its health from now on, unless that is done already. */
export function watch(context: Context, id: string): void {
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
    clearUp(context, id, handle, end);
  });
  followStalls(context, id, machine, handle, controller.signal);
  if (record.health === 'starting') void followHealth(context, id, machine, handle, controller.signal);
}

/** Sees to an end that nobody here brought about. */
function clearUp(context: Context, id: string, handle: Handle, end: MachineEnd): void {
  const record = context.state.vps.get(id);
  // An operation that ends the machine sees to the rest itself.
  if (record === undefined || record.state === 'stopping' || record.state === 'deleting') return;
  const isSame = ({ runtime }: VpsRecord): boolean =>
    runtime !== null && runtime.handle.pid === handle.pid && runtime.handle.pidStart === handle.pidStart;
  context
    .concludeEnd(record, end, isSame)
    .catch((failure: unknown) => context.deps.logger.error('cannot clear up', { vps: id, failure }));
}
