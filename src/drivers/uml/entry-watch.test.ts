import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { eventually, scratchDirectory } from '../../../test/support/scratch.ts';
import { EntryWatch } from './entry-watch.ts';

const NAME = 'vm';

function watched(t: TestContext) {
  const scratch = scratchDirectory('entry');
  mkdirSync(join(scratch.path, NAME));
  let told = 0;
  const watch = new EntryWatch(join(scratch.path, NAME), () => {
    told += 1;
  });
  t.after(() => {
    watch.close();
    scratch[Symbol.dispose]();
  });
  return { folder: scratch.path, told: () => told };
}

test('a folder that goes, and one that comes in its place, are told of', async (t) => {
  const { folder, told } = watched(t);
  rmSync(join(folder, NAME), { recursive: true });
  await eventually('its end is seen', () => told() === 1);
  mkdirSync(join(folder, NAME));
  await eventually('the next one is seen', () => told() === 2);
  mkdirSync(join(folder, 'other'));
  renameSync(join(folder, NAME), join(folder, 'former'));
  renameSync(join(folder, 'other'), join(folder, NAME));
  await eventually('another in its place is seen', () => told() > 2);
});

test('what else happens beside it is told to nobody, and a flood of it holds nobody up', async (t) => {
  const { folder, told } = watched(t);
  const before = told();
  writeFileSync(join(folder, 'a'), '');
  const flood =
    '$| = 1; chdir $ARGV[0]; fork for 1 .. 2; print "begun\\n"; while (1) { rename "a", "b$$"; rename "b$$", "a" }';
  const flooding = spawn('perl', ['-e', flood, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  try {
    await once(flooding.stdout, 'data');
    let slowest = 0;
    for (let round = 0; round < 100; round += 1) {
      const began = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 5));
      slowest = Math.max(slowest, performance.now() - began);
    }
    assert.ok(slowest < 500, `${slowest} ms`);
    assert.equal(told(), before);
  } finally {
    process.kill(-(flooding.pid ?? 0), 'SIGKILL');
  }
});
