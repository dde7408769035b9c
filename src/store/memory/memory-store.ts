import { randomBytes } from 'node:crypto';
import { ChangeFeed } from '../change-feed.ts';
import { compareKeys, decode, encode, requireKey } from '../keys.ts';
import { type Change, type Entry, HISTORY_LIMIT, type Operation, type Store } from '../store.ts';

interface Row {
  readonly text: string;
  readonly revision: number;
  readonly lease: string | undefined;
}
interface Lease {
  readonly ttlMs: number;
  expiresAt: number;
}
interface PastChange {
  readonly revision: number;
  readonly key: string;
  readonly text: string | undefined;
}

/** A store that lives as long as its process; for tests. `clock` answers milliseconds. */
export function createMemoryStore(clock: () => number = Date.now): Store {
  return new MemoryStore(clock);
}

class MemoryStore implements Store {
  readonly #clock: () => number;
  readonly #rows = new Map<string, Row>();
  readonly #leases = new Map<string, Lease>();
  readonly #feed = new ChangeFeed();
  #history: PastChange[] = [];
  #forgotten = 0;
  #revision = 0;
  #expiry: NodeJS.Timeout | undefined;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async get(key: string): Promise<Entry | undefined> {
    this.#expire();
    const row = this.#rows.get(requireKey(key));
    return row === undefined ? undefined : { key, value: decode(row.text), revision: row.revision };
  }

  async list(prefix: string): Promise<Entry[]> {
    this.#expire();
    return [...this.#rows]
      .filter(([key]) => key.startsWith(prefix))
      .sort(([a], [b]) => compareKeys(a, b))
      .map(([key, row]) => ({ key, value: decode(row.text), revision: row.revision }));
  }

  async transact(...[compares, operations]: Parameters<Store['transact']>): ReturnType<Store['transact']> {
    this.#expire();
    const texts = operations.map((operation) => this.#check(operation));
    const holds = compares.every(
      ({ key, revision }) => (this.#rows.get(requireKey(key))?.revision ?? 0) === revision,
    );
    if (!holds) return { ok: false, revision: this.#revision };
    this.#apply(operations, texts);
    return { ok: true, revision: this.#revision };
  }

  async revision(): Promise<number> {
    this.#expire();
    return this.#revision;
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<Change> {
    return this.#feed.follow(
      after,
      (seen) => {
        if (seen < this.#forgotten) throw new RangeError(`changes after revision ${seen} are forgotten`);
        return this.#history
          .filter((change) => change.revision > seen && change.key.startsWith(prefix))
          .map(({ revision, key, text }) => ({
            revision,
            key,
            value: text === undefined ? undefined : decode(text),
          }));
      },
      signal,
    );
  }

  async grantLease(ttlMs: number): Promise<string> {
    const id = randomBytes(8).toString('hex');
    this.#leases.set(id, { ttlMs, expiresAt: this.#clock() + ttlMs });
    this.#schedule();
    return id;
  }

  async keepAlive(id: string): Promise<boolean> {
    this.#expire();
    const lease = this.#leases.get(id);
    if (lease === undefined) return false;
    lease.expiresAt = this.#clock() + lease.ttlMs;
    this.#schedule();
    return true;
  }

  async revokeLease(id: string): Promise<void> {
    this.#end([id]);
  }

  async close(): Promise<void> {
    clearTimeout(this.#expiry);
    this.#feed.close();
  }

  #check(operation: Operation): string | undefined {
    requireKey(operation.key);
    if (operation.type === 'delete') return undefined;
    if (operation.lease !== undefined && !this.#leases.has(operation.lease)) {
      throw new RangeError(`lease ${operation.lease} has ended`);
    }
    return encode(operation.value);
  }

  #apply(operations: readonly Operation[], texts: readonly (string | undefined)[]): void {
    if (operations.length === 0) return;
    const revision = this.#revision + 1;
    let changed = false;
    for (const [index, operation] of operations.entries()) {
      const text = texts[index];
      if (operation.type === 'delete' || text === undefined) {
        if (!this.#rows.delete(operation.key)) continue;
      } else {
        this.#rows.set(operation.key, { text, revision, lease: operation.lease });
      }
      changed = true;
      this.#history.push({ revision, key: operation.key, text });
    }
    if (!changed) return;
    this.#revision = revision;
    this.#forget();
    this.#feed.notify();
  }

  #forget(): void {
    if (this.#history.length <= 2 * HISTORY_LIMIT) return;
    const oldest = this.#history[this.#history.length - HISTORY_LIMIT]?.revision ?? 0;
    this.#history = this.#history.filter((change) => change.revision >= oldest);
    this.#forgotten = oldest - 1;
  }

  #expire(): void {
    const now = this.#clock();
    const ended = [...this.#leases].filter(([, lease]) => lease.expiresAt <= now).map(([id]) => id);
    if (ended.length > 0) this.#end(ended);
  }

  #end(leases: readonly string[]): void {
    for (const id of leases) this.#leases.delete(id);
    const keys = [...this.#rows].filter(([, row]) => row.lease !== undefined && leases.includes(row.lease));
    this.#apply(
      keys.map(([key]) => ({ type: 'delete', key })),
      keys.map(() => undefined),
    );
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#expiry);
    const next = Math.min(...[...this.#leases.values()].map((lease) => lease.expiresAt));
    if (!Number.isFinite(next)) return;
    const look = (): void => {
      this.#expire();
      // A timer and the clock may differ: what has not ended yet is looked at again.
      this.#schedule();
    };
    this.#expiry = setTimeout(look, Math.max(1, next - this.#clock()));
    this.#expiry.unref();
  }
}
