export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface Entry {
  readonly key: string;
  readonly value: Json;
  /** Store revision of the last change of this key. */
  readonly revision: number;
}

/** `revision` 0: the key must not exist; a number: its last change must be that one. */
export interface Compare {
  readonly key: string;
  readonly revision: number;
}

export type Operation =
  | { readonly type: 'put'; readonly key: string; readonly value: Json; readonly lease?: string | undefined }
  | { readonly type: 'delete'; readonly key: string };

export interface Change {
  readonly revision: number;
  readonly key: string;
  /** Undefined: deleted. */
  readonly value: Json | undefined;
}

/**
 * What a committed transaction survives: the sudden end of this process, and of the machine with it; or of this process
 * alone, until a later transaction that survives both.
 */
export type Survival = 'machine' | 'process';

/** A watch may start at least this many changes back; before that a store may forget. */
export const HISTORY_LIMIT = 5_000;

/**
 * A small compare-and-swap key-value store with revisions, watch and leases: what etcd and SQLite both can be.
 * Keys are paths such as `vps/0f3a`.
 */
export interface Store {
  get(key: string): Promise<Entry | undefined>;
  /** Entries whose key starts with `prefix`, ordered by the bytes of the key. */
  list(prefix: string): Promise<Entry[]>;
  /**
   * Applies all operations at one new revision when every compare holds; else nothing. A transaction that changes
   * nothing has no revision of its own. `survival` is `machine` unless it is said.
   * @throws RangeError when a lease has ended; TypeError for a key or value that cannot be stored.
   */
  transact(
    compares: readonly Compare[],
    operations: readonly Operation[],
    survival?: Survival,
  ): Promise<{ readonly ok: boolean; readonly revision: number }>;
  revision(): Promise<number>;
  /**
   * Changes with a revision greater than `after`, in order, then as they come, until aborted.
   * @throws RangeError when `after` is so old that changes since are forgotten.
   */
  watch(prefix: string, after: number, signal: AbortSignal): AsyncIterable<Change>;
  /** Keys put under a lease vanish when it is not kept alive for `ttlMs`. */
  grantLease(ttlMs: number): Promise<string>;
  /** False when the lease has ended. */
  keepAlive(lease: string): Promise<boolean>;
  revokeLease(lease: string): Promise<void>;
  close(): Promise<void>;
}
