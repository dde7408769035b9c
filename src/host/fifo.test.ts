import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { scratchDirectory } from '../../test/support/scratch.ts';
import { drainFifo, makeFifo, openFifo } from './fifo.ts';

/** Writers that take turns, so that the pipe is seldom empty. */
const FLOOD = `$| = 1; open my $p, ">", $ARGV[0] or die; my $b = "x" x 65536; fork for 1 .. 2; print "begun\\n";
1 while syswrite $p, $b`;

test('a pipe is drained of what lies in it, while others write to it without end', async () => {
  using scratch = scratchDirectory('fifo');
  const path = join(scratch.path, 'pipe');
  makeFifo(path);
  const held = openFifo(path, 'both');
  const writers = spawn('perl', ['-e', FLOOD, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  try {
    await once(writers.stdout, 'data');
    const began = performance.now();
    for (let round = 0; round < 20; round += 1) drainFifo(path);
    assert.ok(performance.now() - began < 1_000);
  } finally {
    process.kill(-(writers.pid ?? 0), 'SIGKILL');
    closeSync(held);
  }
});
