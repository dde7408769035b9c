import type { DatabaseSync } from 'node:sqlite';

/**
 * Each entry brings the schema from the version of its position to the next; `user_version` counts them. An entry
 * that was released is never edited.
 */
export const MIGRATIONS: readonly string[] = [
  `CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE counter (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL) STRICT;
   INSERT INTO counter VALUES (1, 0);`,
  `CREATE TABLE leases (id TEXT PRIMARY KEY, ttl INTEGER NOT NULL, expires INTEGER NOT NULL) STRICT, WITHOUT ROWID;
   ALTER TABLE entries ADD COLUMN lease TEXT;
   CREATE INDEX entries_by_lease ON entries (lease) WHERE lease IS NOT NULL;
   CREATE TABLE history (
     sequence INTEGER PRIMARY KEY, revision INTEGER NOT NULL, key TEXT NOT NULL, value TEXT
   ) STRICT;
   CREATE INDEX history_by_revision ON history (revision);
   ALTER TABLE counter ADD COLUMN forgotten INTEGER NOT NULL DEFAULT 0;
   UPDATE counter SET forgotten = revision;`,
];

/**
 * Brings a database to the newest schema, all in one transaction.
 * @throws RangeError when it was written by a newer Mullion.
 */
export function migrate(database: DatabaseSync, migrations: readonly string[] = MIGRATIONS): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const version = Number(database.prepare('PRAGMA user_version').get()?.user_version ?? 0);
    if (version > migrations.length) {
      throw new RangeError(
        `the store has schema version ${version}, this Mullion knows versions up to ${migrations.length}`,
      );
    }
    for (const statements of migrations.slice(version)) database.exec(statements);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec('COMMIT');
  } catch (failure) {
    database.exec('ROLLBACK');
    throw failure;
  }
}
