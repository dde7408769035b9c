import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, openSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { ChangeFeed } from '../change-feed.ts';
import { decode, encode, prefixEnd, requireKey } from '../keys.ts';
import { type Change, type Entry, HISTORY_LIMIT, type Store } from '../store.ts';
import { CommitQueue } from './commit-queue.ts';
import { migrate } from './schema.ts';
import { prepareStatements, type Statements, text, whole } from './statements.ts';

/**
 * The embedded store: one SQLite file of mode 0600. A commit is on the disk when `transact` answers (WAL with
 * synchronous=FULL, https://www.sqlite.org/pragma.html#pragma_synchronous), or in the kernel's hands where it is to survive
 * this process alone. Several processes may use the file at
 * once, but a watch hears only of its own process's changes. `clock` answers milliseconds.
 */
export function openSqliteStore(path: string, clock: () => number = Date.now): Store {
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA busy_timeout = 10000');
    database.exec('PRAGMA journal_mode = WAL');
    migrate(database);
    return new SqliteStore(database, clock);
  } catch (failure) {
    database.close();
    throw failure;
  }
}

class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #clock: () => number;
  readonly #statements: Statements;
  readonly #commits: CommitQueue;
  readonly #feed = new ChangeFeed();
  #expiry: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(database: DatabaseSync, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
    this.#statements = prepareStatements(database);
    this.#commits = new CommitQueue(database);
    this.#schedule();
  }

  async get(key: string): Promise<Entry | undefined> {
    await this.#expire();
    const row = this.#statements.get.get(requireKey(key));
    return row === undefined
      ? undefined
      : { key, value: decode(text(row.value)), revision: whole(row.revision) };
  }

  async list(prefix: string): Promise<Entry[]> {
    await this.#expire();
    const end = prefixEnd(prefix);
    const rows =
      end === undefined
        ? this.#statements.listToEnd.all(prefix)
        : this.#statements.listRange.all(prefix, end);
    return rows.map((row) => ({
      key: text(row.key),
      value: decode(text(row.value)),
      revision: whole(row.revision),
    }));
  }

  async transact(
    ...[compares, operations, survival = 'machine']: Parameters<Store['transact']>
  ): ReturnType<Store['transact']> {
    for (const { key } of compares) requireKey(key);
    const encoded = operations.map((operation) => ({
      key: requireKey(operation.key),
      value: operation.type === 'put' ? encode(operation.value) : undefined,
      lease: operation.type === 'put' ? operation.lease : undefined,
    }));
    await this.#expire();
    const work = () => {
      for (const { lease } of encoded) {
        if (lease !== undefined && this.#statements.leaseExists.get(lease) === undefined) {
          throw new RangeError(`lease ${lease} has ended`);
        }
      }
      const holds = compares.every(
        ({ key, revision }) => whole(this.#statements.get.get(key)?.revision ?? 0) === revision,
      );
      return { ok: holds, revision: holds ? this.#apply(encoded) : this.#revision() };
    };
    const answer = await this.#commits.run(work, survival);
    this.#feed.notify();
    return answer;
  }

  async revision(): Promise<number> {
    await this.#expire();
    return this.#revision();
  }

  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<Change> {
    return this.#feed.follow(
      after,
      (seen) => {
        if (seen < whole(this.#statements.counter.get()?.forgotten)) {
          throw new RangeError(`changes after revision ${seen} are forgotten`);
        }
        return this.#statements.history
          .all(seen)
          .map((row) => ({
            revision: whole(row.revision),
            key: text(row.key),
            value: row.value === null ? undefined : decode(text(row.value)),
          }))
          .filter((change) => change.key.startsWith(prefix));
      },
      signal,
    );
  }

  async grantLease(ttlMs: number): Promise<string> {
    const id = randomBytes(8).toString('hex');
    await this.#commits.run(() => this.#statements.grant.run(id, ttlMs, this.#clock() + ttlMs));
    this.#schedule();
    return id;
  }

  async keepAlive(lease: string): Promise<boolean> {
    await this.#expire();
    const changed = await this.#commits.run(
      () => this.#statements.keepAlive.run(this.#clock(), lease).changes,
    );
    this.#schedule();
    return Number(changed) > 0;
  }

  async revokeLease(lease: string): Promise<void> {
    await this.#endLeases([lease]);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#expiry);
    this.#commits.flush();
    this.#feed.close();
    this.#database.close();
  }

  #revision(): number {
    return whole(this.#statements.counter.get()?.revision);
  }

  #apply(
    operations: readonly {
      readonly key: string;
      readonly value: string | undefined;
      readonly lease: string | undefined;
    }[],
  ): number {
    const before = this.#revision();
    const revision = before + 1;
    let changed = false;
    for (const { key, value, lease } of operations) {
      if (value === undefined) {
        if (Number(this.#statements.remove.run(key).changes) === 0) continue;
      } else {
        this.#statements.put.run(key, value, revision, lease ?? null);
      }
      this.#statements.remember.run(revision, key, value ?? null);
      changed = true;
    }
    if (!changed) return before;
    this.#statements.advance.run(revision);
    if (revision % HISTORY_LIMIT === 0) this.#forget();
    return revision;
  }

  #forget(): void {
    const row = this.#statements.oldestKept.get(HISTORY_LIMIT);
    if (row === undefined) return;
    const oldest = whole(row.revision);
    this.#statements.forget.run(oldest);
    this.#statements.markForgotten.run(oldest - 1);
  }

  async #expire(): Promise<void> {
    if (this.#closed) throw new TypeError('the store is closed');
    const ended = this.#statements.endedLeases.all(this.#clock()).map((row) => text(row.id));
    if (ended.length > 0) await this.#endLeases(ended);
  }

  async #endLeases(leases: readonly string[]): Promise<void> {
    await this.#commits.run(() => {
      const keys = leases.flatMap((lease) => this.#statements.keysOfLease.all(lease));
      this.#apply(keys.map((row) => ({ key: text(row.key), value: undefined, lease: undefined })));
      for (const lease of leases) this.#statements.revoke.run(lease);
    });
    this.#feed.notify();
    this.#schedule();
  }

  #schedule(): void {
    clearTimeout(this.#expiry);
    const next = this.#statements.nextExpiry.get()?.next;
    if (this.#closed || next === null || next === undefined) return;
    const wait = Math.min(Math.max(1, whole(next) - this.#clock()), 2 ** 31 - 1);
    this.#expiry = setTimeout(() => {
      // A failure here shows at the next call, which tries the same. A timer and the clock may differ: what has not ended yet
      // is looked at again.
      this.#expire()
        .then(() => this.#schedule())
        .catch(() => undefined);
    }, wait);
    this.#expiry.unref();
  }
}
