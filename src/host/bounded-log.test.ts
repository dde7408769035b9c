import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDirectory } from '../../test/support/scratch.ts';
import { BoundedLog } from './bounded-log.ts';

test('a bounded log keeps the last lines in files that only their owner reads', async () => {
  using scratch = scratchDirectory('bounded-log');
  const path = join(scratch.path, 'audit.log');
  const open = () => new BoundedLog({ path, fileBytes: 1_000, files: 3 });
  let log = open();
  for (let number = 0; number < 500; number += 1) {
    if (number % 50 === 0) {
      log.close();
      log = open();
    }
    log.append(`line ${number}`);
  }
  assert.deepEqual(readdirSync(scratch.path).sort(), ['audit.log', 'audit.log.1', 'audit.log.2']);
  for (const name of readdirSync(scratch.path)) {
    const { mode, size } = statSync(join(scratch.path, name));
    assert.equal(mode & 0o777, 0o600);
    assert.ok(size <= 1_000, `${name} has ${size} bytes`);
  }
  const all = await log.tail(10_000);
  assert.ok(all.length > 200 && all.length < 300, String(all.length));
  assert.equal(all.at(-1), 'line 499');
  assert.deepEqual(await log.tail(2), ['line 498', 'line 499']);
  log.close();
});

test('a line cannot hold another, and a huge one is cut', async () => {
  using scratch = scratchDirectory('bounded-log');
  const log = new BoundedLog({ path: join(scratch.path, 'log'), fileBytes: 100_000, files: 2 });
  log.append('a\nforged');
  log.append('x'.repeat(1_000_000));
  assert.deepEqual(
    (await log.tail(10)).map((line) => line.slice(0, 10)),
    ['a forged', 'xxxxxxxxxx'],
  );
  assert.ok(statSync(join(scratch.path, 'log')).size < 20_000);
  log.close();
});
