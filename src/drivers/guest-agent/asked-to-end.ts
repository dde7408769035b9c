import { isAlive, waitForExit } from '../../host/processes.ts';
import type { Handle } from '../driver.ts';
import type { AgentChannel } from './agent-channel.ts';
import { ping, shutdown } from './agent-commands.ts';

const AGENT_MS = 5_000;
/** A guest that does as it was asked has ended by then, if it is not slow; to be asked again does it no harm. */
const ASK_AGAIN_MS = 10_000;

/** Has the agent shut its guest down. @throws MullionError when it does not answer */
export async function askAgentToEnd(agent: AgentChannel, leftMs: number): Promise<void> {
  const timeoutMs = Math.min(AGENT_MS, leftMs);
  await ping(agent, timeoutMs);
  await shutdown(agent, timeoutMs);
}

/**
 * Asks a guest again and again, until the process that it runs in has ended; false when it has not in time. A guest in the
 * midst of its boot may forget that it was asked, one without room for one more process cannot do so yet.
 */
export async function askUntilEnded(
  { pid, pidStart }: Handle,
  timeoutMs: number,
  ask: (asked: number, leftMs: number) => Promise<unknown>,
  againMs = ASK_AGAIN_MS,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  const left = (): number => Math.max(0, deadline - performance.now());
  for (let asked = 0; isAlive(pid, pidStart); asked += 1) {
    // It may have ended meanwhile, or be past answering: what counts is whether it ends in time.
    await ask(asked, left()).catch(() => undefined);
    if (await waitForExit(pid, pidStart, Math.min(againMs, left()))) return true;
    if (left() === 0) return false;
  }
  return true;
}
