import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { MIGRATIONS } from '../../src/store/sqlite/schema.ts';
import { openSqliteStore } from '../../src/store/sqlite/sqlite-store.ts';

async function scratchFile(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mullion-store-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return join(folder, 'store.db');
}

/** Commits counters one after another and prints each that was answered. */
const writer = (module: string, file: string): string => `
  const { openSqliteStore } = await import(${JSON.stringify(module)});
  const store = openSqliteStore(${JSON.stringify(file)});
  for (let n = 1; n < 100_000; n++) {
    const operations = [{ type: 'put', key: 'last', value: n }, { type: 'put', key: 'n/' + n, value: n }];
    await store.transact([], operations, n % 2 === 0 ? 'machine' : 'process');
    process.stdout.write(n + '\\n');
  }`;

test('every commit that was answered is there after kill -9, and none is half there', async (t) => {
  const file = await scratchFile(t);
  const module = join(import.meta.dirname, '../../src/store/sqlite/sqlite-store.ts');
  let previous = 0;
  for (const target of [3, 40, 111]) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer(module, file)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let answered = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      answered = Number(line);
      if (answered === target) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    const store = openSqliteStore(file);
    const last = Number((await store.get('last'))?.value);
    assert.ok(last >= answered, `${answered} was answered, ${last} is there`);
    assert.equal((await store.get(`n/${last}`))?.value, last);
    assert.ok((await store.revision()) > previous);
    previous = await store.revision();
    await store.close();
  }
});

test('the file and what SQLite puts beside it can be read by nobody else', async (t) => {
  const file = await scratchFile(t);
  await writeFile(file, '', { mode: 0o644 });
  const store = openSqliteStore(file);
  await store.transact([], [{ type: 'put', key: 'a', value: 1 }]);
  for (const suffix of ['', '-wal', '-shm']) {
    assert.equal((await stat(`${file}${suffix}`)).mode & 0o777, 0o600, suffix);
  }
  await store.close();
});

test('a database of every older schema version is brought forward with its data', async (t) => {
  for (let version = 1; version < MIGRATIONS.length; version++) {
    const file = await scratchFile(t);
    const old = new DatabaseSync(file);
    for (const statements of MIGRATIONS.slice(0, version)) old.exec(statements);
    old.exec(`PRAGMA user_version = ${version}`);
    old.exec(`INSERT INTO entries (key, value, revision) VALUES ('vps/1', '{"name":"web"}', 7)`);
    old.exec('UPDATE counter SET revision = 7');
    old.close();
    const store = openSqliteStore(file);
    assert.deepEqual(await store.get('vps/1'), { key: 'vps/1', value: { name: 'web' }, revision: 7 });
    const lease = await store.grantLease(60_000);
    const put = { type: 'put', key: 'vps/1', value: 'new', lease } as const;
    assert.deepEqual(await store.transact([{ key: 'vps/1', revision: 7 }], [put]), { ok: true, revision: 8 });
    await assert.rejects(
      store.watch('', 0, new AbortController().signal)[Symbol.asyncIterator]().next(),
      RangeError,
    );
    await store.close();
    const again = openSqliteStore(file);
    assert.equal(await again.revision(), 8);
    await again.close();
  }
});

test('a database of a newer Mullion is refused and left alone', async (t) => {
  const file = await scratchFile(t);
  await openSqliteStore(file).close();
  const database = new DatabaseSync(file);
  database.exec('PRAGMA user_version = 99');
  database.close();
  assert.throws(() => openSqliteStore(file), /schema version 99/);
});

test('a file that is no database is refused', async (t) => {
  const file = await scratchFile(t);
  await writeFile(file, 'not a database, but long enough to have a header of one hundred bytes'.repeat(20));
  assert.throws(() => openSqliteStore(file), /not a database/);
});

test('two connections to one file race for a key, and exactly one wins', async (t) => {
  const file = await scratchFile(t);
  const stores = [openSqliteStore(file), openSqliteStore(file)];
  const answers = await Promise.all(
    stores.flatMap((store, owner) =>
      Array.from({ length: 10 }, (_, index) =>
        store.transact(
          [{ key: `slot/${index}`, revision: 0 }],
          [{ type: 'put', key: `slot/${index}`, value: owner }],
        ),
      ),
    ),
  );
  assert.equal(answers.filter(({ ok }) => ok).length, 10);
  for (const store of stores) await store.close();
});

test('a lease outlives a restart of the process, and ends when its time has come', async (t) => {
  const file = await scratchFile(t);
  let now = 1_000_000;
  const first = openSqliteStore(file, () => now);
  const lease = await first.grantLease(10_000);
  await first.transact([], [{ type: 'put', key: 'member', value: 1, lease }]);
  await first.close();
  const second = openSqliteStore(file, () => now);
  assert.equal((await second.get('member'))?.value, 1);
  now += 10_001;
  assert.equal(await second.get('member'), undefined);
  await second.close();
});

test('a closed store refuses, and opens again with all it held', async (t) => {
  const file = await scratchFile(t);
  const store = openSqliteStore(file);
  await store.transact([], [{ type: 'put', key: 'a', value: 1 }]);
  await store.close();
  await store.close();
  await assert.rejects(store.get('a'), TypeError);
  const again = openSqliteStore(file);
  assert.equal((await again.get('a'))?.value, 1);
  await again.close();
});
