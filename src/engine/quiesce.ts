import type { Consistency } from '../contract/snapshots.ts';
import { isAlive } from '../core/plan.ts';
import { bounded } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import { featuresOf } from './features.ts';
import { machineOf } from './machine.ts';
import type { VpsRecord } from './records.ts';

/** A guest is at rest no longer than this, whatever it answers. */
const FREEZE_MS = 15_000;

/**
 * Does something with a VPS's data while its file systems are at rest, where the guest can and will; else as they are.
 * A guest that does not answer, or lies, costs time and the better kind of consistency, no more.
 */
export async function atRest(
  context: Context,
  record: VpsRecord,
  work: () => Promise<void>,
): Promise<Consistency> {
  const { observed, runtime } = record;
  const alive = isAlive(observed.machine);
  const { freeze } = requireDriver(context, record.technique);
  if (
    freeze === undefined ||
    !featuresOf(context, record).health ||
    runtime === null ||
    observed.machine !== 'running'
  ) {
    await work();
    return alive ? 'crash' : 'clean';
  }
  const machine = machineOf(context, record);
  const attempt = async (what: string, answer: Promise<boolean>): Promise<boolean> => {
    try {
      return await bounded(what, Math.min(FREEZE_MS, context.timings.step), answer);
    } catch (failure) {
      context.deps.logger.info(`cannot ${what}`, { vps: record.id, failure });
      return false;
    }
  };
  const frozen = await attempt(
    'bring the guest to rest',
    freeze.freeze(machine, runtime.handle, FREEZE_MS).then(() => true),
  );
  let held = false;
  try {
    await work();
  } finally {
    held = await attempt('let the guest go on', freeze.thaw(machine, runtime.handle));
  }
  return frozen && held ? 'file-system' : 'crash';
}
