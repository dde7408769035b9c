import type { Health } from '../contract/vps.ts';
import type { Handle, Machine } from '../drivers/driver.ts';
import { bounded, pause } from './bounded.ts';
import { type Context, requireDriver } from './context.ts';
import { featuresOf } from './features.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;
/** Between questions to an agent, each of which itself waits for the answer: commands wait for it too. */
const AGENT_WAIT_MS = 200;

/** Asks a guest whether it is ready until it is, it is stopped, or the time is over. Never throws. */
export async function followHealth(
  context: Context,
  id: string,
  machine: Machine,
  handle: Handle,
  signal: AbortSignal,
): Promise<void> {
  const { health } = requireDriver(context, machine.technique);
  const record = context.state.vps.get(id);
  const tells = record !== undefined && featuresOf(context, record).health;
  if (health === undefined || !tells) return report(context, id, 'unknown');
  const until = performance.now() + context.timings.health;
  const longest = health.agent !== undefined ? AGENT_WAIT_MS : LONGEST_WAIT_MS;
  // A guest that has just begun is not ready, and what asks it would hold up the answer that it runs.
  for (let wait = FIRST_WAIT_MS; !signal.aborted && performance.now() < until; wait *= 1.5) {
    await pause(Math.min(wait, longest), signal);
    if (signal.aborted) return;
    if (await isReady(context, () => health.isReady(machine, handle))) {
      if (!signal.aborted) report(context, id, 'ready');
      return;
    }
  }
  if (!signal.aborted) report(context, id, 'unknown');
}

/** The answer comes from a guest that may be hostile: late, failing and odd ones count as no. */
async function isReady(context: Context, ask: () => Promise<boolean>): Promise<boolean> {
  try {
    return (await bounded('answer', context.timings.question, ask())) === true;
  } catch {
    return false;
  }
}

function report(context: Context, id: string, health: Health): void {
  const record = context.state.vps.get(id);
  if (record === undefined || record.health === health) return;
  const operation = context.state.vps.put({ ...record, health });
  context.events.emit('vps.health', record.project, record.name, { health });
  context.state
    .commit([operation])
    .catch((failure: unknown) => context.deps.logger.error('cannot record health', { vps: id, failure }));
}
