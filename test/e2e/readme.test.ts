import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { test } from 'node:test';
import { runCommand } from '../support/command.ts';
import { ROOT, TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';

/** Runs this whole suite: it cannot be a part of it. */
const NOT_HERE = new Set(['npm test', 'npm run check', 'npm run bench']);

/** The lines of every fenced `sh` block, in order; `\` at a line's end joins it to the next. */
function commandsOf(markdown: string): string[] {
  return [...markdown.matchAll(/^```sh\n([\s\S]*?)^```/gm)].flatMap((block) =>
    (block[1] ?? '')
      .replaceAll('\\\n', ' ')
      .split('\n')
      .map((line) => line.replace(/\s+#.*$/, '').trim())
      .filter(
        (line) =>
          line !== '' && !line.startsWith('#') && !line.startsWith('git clone') && !line.startsWith('cd '),
      ),
  );
}

if (enterPrivateNetns(import.meta.url)) {
  test("README's commands work, in the order in which they stand", async (t) => {
    const commands = commandsOf(readFileSync(join(ROOT, 'README.md'), 'utf8'));
    assert.ok(commands.includes('sudo ./mullion quickstart'));
    assert.ok(commands.includes('npm test'));
    assert.ok(commands.length >= 7, commands.join('\n'));

    await using daemon = await TestDaemon.start('readme', { start: false });
    const home = mkdtempSync(join(tmpdir(), 'mullion-readme-'));
    try {
      for (const command of commands.filter((line) => !NOT_HERE.has(line))) {
        await daemon.check(t, command, async () => {
          // Already root; a terminal where one is asked for, as a person has.
          const line = command.replace(/^sudo /, '');
          const argv = line.includes('--tty')
            ? ['script', '-qec', line, '/dev/null']
            : ['bash', '-euc', line];
          const result = await runCommand(argv, {
            cwd: ROOT,
            env: { ...daemon.environment, HOME: home, PATH: `${ROOT}${delimiter}${process.env.PATH}` },
            stdin: line.includes('--tty') ? 'exit\n' : '',
            timeoutMs: line.includes('quickstart') ? 900_000 : 120_000,
          });
          assert.equal(result.code, 0, result.stdout + result.stderr);
        });
      }
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
}
