import type { AgentChannel } from './agent-channel.ts';
import { execStart, freeze, thaw } from './agent-commands.ts';

/** Brings file systems of guests to rest, each for a bounded time. */
export class GuestRest {
  /** Processes of guests that end a rest which lasts too long, by the guest's id. */
  readonly #guards = new Map<string, number>();

  async freeze(id: string, agent: AgentChannel, limitMs: number): Promise<void> {
    this.#guards.set(id, await freeze(agent, limitMs));
  }

  /** False when they went on before. */
  async thaw(id: string, agent: AgentChannel): Promise<boolean> {
    const count = await thaw(agent);
    const guard = this.#guards.get(id);
    this.#guards.delete(id);
    // It would cut the next rest short.
    if (guard !== undefined) await execStart(agent, ['/bin/sh', '-c', `kill ${guard}`], { capture: false });
    return count > 0;
  }
}
