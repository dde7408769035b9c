import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { encodeRequest } from './framing.ts';
import { longCommand } from './long-command.ts';

const LONGEST = 1_000;

test('a long command is what it was once its pieces were written, and leaves no file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mullion-long-'));
  try {
    const file = join(folder, "it's");
    const word = `${'é\u001b\n\'"$(x)`\\ '.repeat(200)}\n`;
    const { before, argv } = longCommand(['printf', '%s|', word, '', 'last'], file, LONGEST);
    assert.ok(before.length > 5);
    for (const [path, ...arg] of before) {
      assert.ok(
        Buffer.byteLength(encodeRequest('guest-exec', { path, arg, 'capture-output': true })) <= LONGEST,
      );
      assert.equal(spawnSync(path, arg).status, 0);
    }
    const [path, ...rest] = argv;
    assert.equal(spawnSync(path, rest, { encoding: 'utf8' }).stdout, `${word}||last|`);
    assert.ok(!existsSync(file));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
