import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';

export type Statements = ReturnType<typeof prepareStatements>;

/** Every statement that the store runs, prepared once. */
export const prepareStatements = (database: DatabaseSync) => ({
  get: database.prepare('SELECT value, revision FROM entries WHERE key = ?'),
  listRange: database.prepare(
    'SELECT key, value, revision FROM entries WHERE key >= ? AND key < ? ORDER BY key',
  ),
  listToEnd: database.prepare('SELECT key, value, revision FROM entries WHERE key >= ? ORDER BY key'),
  put: database.prepare(
    `INSERT INTO entries (key, value, revision, lease) VALUES (?, ?, ?, ?)
     ON CONFLICT (key) DO UPDATE SET value = excluded.value, revision = excluded.revision, lease = excluded.lease`,
  ),
  remove: database.prepare('DELETE FROM entries WHERE key = ?'),
  counter: database.prepare('SELECT revision, forgotten FROM counter'),
  advance: database.prepare('UPDATE counter SET revision = ?'),
  remember: database.prepare('INSERT INTO history (revision, key, value) VALUES (?, ?, ?)'),
  history: database.prepare('SELECT revision, key, value FROM history WHERE revision > ? ORDER BY sequence'),
  oldestKept: database.prepare('SELECT revision FROM history ORDER BY sequence DESC LIMIT 1 OFFSET (? - 1)'),
  forget: database.prepare('DELETE FROM history WHERE revision < ?'),
  markForgotten: database.prepare('UPDATE counter SET forgotten = ?'),
  grant: database.prepare('INSERT INTO leases (id, ttl, expires) VALUES (?, ?, ?)'),
  keepAlive: database.prepare('UPDATE leases SET expires = ? + ttl WHERE id = ?'),
  leaseExists: database.prepare('SELECT 1 FROM leases WHERE id = ?'),
  endedLeases: database.prepare('SELECT id FROM leases WHERE expires <= ?'),
  keysOfLease: database.prepare('SELECT key FROM entries WHERE lease = ?'),
  revoke: database.prepare('DELETE FROM leases WHERE id = ?'),
  nextExpiry: database.prepare('SELECT min(expires) AS next FROM leases'),
});

export function text(value: SQLOutputValue | undefined): string {
  if (typeof value !== 'string') throw new TypeError(`expected text in the store, found ${typeof value}`);
  return value;
}

export function whole(value: SQLOutputValue | undefined): number {
  if (typeof value !== 'number') throw new TypeError(`expected a number in the store, found ${typeof value}`);
  return value;
}
