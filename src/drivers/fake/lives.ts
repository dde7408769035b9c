import type { Handle, Machine, MachineEnd } from '../driver.ts';
import { isSame, readState, removeState } from './state.ts';

interface Watch {
  readonly handle: Handle;
  readonly listener: (end: MachineEnd) => void;
  timer: NodeJS.Timeout | undefined;
}

/** Who waits for the end of which machine. */
export class Lives {
  readonly #watches = new Map<string, Set<Watch>>();
  readonly #onEnd: (id: string) => void;

  constructor(onEnd: (id: string) => void) {
    this.#onEnd = onEnd;
  }

  watch(machine: Machine, handle: Handle, listener: (end: MachineEnd) => void): () => void {
    const watch: Watch = { handle, listener, timer: undefined };
    const watches = this.#watches.get(machine.id) ?? new Set();
    this.#watches.set(machine.id, watches.add(watch));
    const state = readState(machine);
    const die = (end: MachineEnd) => () => {
      removeState(machine);
      this.end(machine.id, handle, end);
    };
    if (state === undefined || !isSame(state, handle)) {
      watch.timer = setTimeout(
        () => this.end(machine.id, handle, { kind: 'died', reason: 'the fake had ended before' }),
        0,
      );
    } else if (state.diesAt !== null) {
      watch.timer = setTimeout(
        die({ kind: 'died', reason: 'the fake was told to die' }),
        Math.max(0, state.diesAt - Date.now()),
      );
    }
    return () => {
      clearTimeout(watch.timer);
      watches.delete(watch);
    };
  }

  /** Tells those who watch that machine; all of its, when the handle is not known. */
  end(id: string, handle: Handle | undefined, end: MachineEnd): void {
    const watches = this.#watches.get(id) ?? new Set();
    for (const watch of [...watches]) {
      if (handle !== undefined && watch.handle.pid !== handle.pid) continue;
      clearTimeout(watch.timer);
      watches.delete(watch);
      setImmediate(() => watch.listener(end));
    }
    if (watches.size === 0) this.#watches.delete(id);
    this.#onEnd(id);
  }
}
