import type { Change } from './store.ts';

/** Wakes the watchers of a store when it has changed. */
export class ChangeFeed {
  readonly #waiting = new Set<() => void>();
  #closed = false;

  notify(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  close(): void {
    this.#closed = true;
    this.notify();
  }

  /** `read` answers the changes after a revision, oldest first. Ends on abort or `close`. */
  async *follow(
    after: number,
    read: (after: number) => readonly Change[],
    signal: AbortSignal,
  ): AsyncGenerator<Change> {
    let seen = after;
    while (!signal.aborted && !this.#closed) {
      const changes = read(seen);
      for (const change of changes) {
        if (signal.aborted) return;
        seen = change.revision;
        yield change;
      }
      if (changes.length === 0) await this.#next(signal);
    }
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake, { once: true });
      if (signal.aborted || this.#closed) wake();
    });
  }
}
