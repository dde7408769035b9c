import { MullionError } from '../contract/errors.ts';
import type { Consistency } from '../contract/snapshots.ts';
import { bounded } from './bounded.ts';
import { desiredOf } from './desired.ts';
import type { Scope } from './executors/scope.ts';
import { withinRoom } from './pool-room.ts';

/** Nobody gives up a memory that is being saved but the pool. */
const NEVER = new AbortController().signal;

/**
 * Does something with a VPS's data while its memory lies beside them, both of one instant. The VPS stands still
 * meanwhile, and goes on afterwards whatever came of it, without what was written.
 */
export async function holdMemory(scope: Scope, work: () => Promise<void>): Promise<Consistency> {
  const { context, driver, machine, record } = scope;
  const { memory, pause } = driver;
  if (memory === undefined || pause === undefined) {
    throw new MullionError('not_supported', 'This technique cannot keep memory in a snapshot.');
  }
  if (record.runtime === null) throw new MullionError('wrong_state', `The VPS ${record.name} has ended.`);
  const { handle } = record.runtime;
  // An earlier daemon may have ended while it held a VPS still that is to run.
  const isToRun = record.goal === 'running';
  const seen = (machine: 'running' | 'paused'): void =>
    scope.update({ observed: { ...scope.record.observed, machine } });
  const timed = (what: string, task: Promise<void>): Promise<void> =>
    bounded(what, context.timings.step, task);
  try {
    await widen(scope, memory.room(machine));
    await withinRoom(context, `the memory of ${record.name}`, memory.room(machine), NEVER, async (signal) => {
      seen('paused');
      await bounded('save the memory', context.timings.populate, memory.save(machine, handle, signal));
    });
    await work();
  } finally {
    try {
      if (isToRun) {
        await timed('let it go on', pause.resume(machine, handle));
        seen('running');
      } else await timed('drop the saved memory', memory.drop(machine));
    } finally {
      await widen(scope, 0);
    }
  }
  return 'crash';
}

/** The volume's limit with so much more room. */
async function widen({ context, id, record }: Scope, more: number): Promise<void> {
  const { pool } = context.deps;
  if (!pool.features.quota) return;
  const { size } = await bounded('ask the pool', context.timings.question, pool.info());
  const limit = record.observed.volumeLimit ?? desiredOf(context, record).volumeLimit;
  await bounded('limit the volume', context.timings.step, pool.setLimit(id, Math.min(size, limit + more)));
}
