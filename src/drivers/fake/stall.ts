import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Handle, Machine, StallAbility } from '../driver.ts';
import { faultsOf } from './faults.ts';
import { isSame, readState, writeState } from './state.ts';

/** While a file of this name is in its volume, a machine that came to stand still has no room to go on. */
export const NO_ROOM = 'no-room';

/** Machines that stand still for want of room: `stalls-after` says when that begins. */
export class Stalls implements StallAbility {
  readonly #listeners = new Map<string, Set<() => void>>();

  async isStalled(machine: Machine, handle: Handle): Promise<boolean> {
    const state = readState(machine);
    return state !== undefined && isSame(state, handle) && state.stalled;
  }

  onStall(machine: Machine, _handle: Handle, listener: () => void): () => void {
    const listeners = this.#listeners.get(machine.id) ?? new Set();
    this.#listeners.set(machine.id, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  async retry(machine: Machine, handle: Handle): Promise<void> {
    const state = readState(machine);
    if (state === undefined || !isSame(state, handle) || existsSync(join(machine.volume, NO_ROOM))) return;
    writeState(machine, { ...state, stalled: false });
  }

  /** Of a machine that has just begun to run. */
  schedule(machine: Machine, handle: Handle): void {
    const { stallsAfter } = faultsOf(machine);
    if (stallsAfter === undefined) return;
    setTimeout(() => {
      const state = readState(machine);
      if (state === undefined || !isSame(state, handle)) return;
      writeState(machine, { ...state, stalled: true });
      for (const listener of this.#listeners.get(machine.id) ?? []) listener();
    }, stallsAfter).unref();
  }
}
