import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { runCommand } from '../support/command.ts';
import { LAUNCHER } from '../support/daemon.ts';
import { scratchDirectory } from '../support/scratch.ts';

/** How each shell shows what it would offer after the words `mullion WORD`, with its real completion script. */
const SHELLS: Readonly<Record<string, (script: string, word: string) => readonly string[]>> = {
  bash: (script, word) => [
    ...[
      'bash',
      '-c',
      `source "$0"; COMP_WORDS=(mullion "$1") COMP_CWORD=1; _mullion; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ],
    ...[script, word],
  ],
  // The completion system itself needs a terminal: what it would show is printed in its place.
  zsh: (script, word) => [
    ...[
      'zsh',
      '-fc',
      `compdef() { : }; _describe() { print -l -- \${(P)2} }; source $0; words=(mullion $1) CURRENT=2; _mullion`,
    ],
    ...[script, word],
  ],
  fish: (script, word) => [
    'fish',
    '--no-config',
    '-c',
    `source ${script}; complete --do-complete "mullion ${word}"`,
  ],
};

for (const [shell, argvOf] of Object.entries(SHELLS)) {
  test(`${shell} completes commands by the script that mullion prints for it`, async (t) => {
    if (!hasProgram(shell)) return t.skip(`${shell} is not installed`);
    using scratch = scratchDirectory('completion');
    const bin = join(scratch.path, 'bin');
    mkdirSync(bin);
    symlinkSync(LAUNCHER, join(bin, 'mullion'));
    const env = {
      PATH: `${bin}:${process.env.PATH ?? ''}`,
      HOME: scratch.path,
      MULLION_RUN_DIR: scratch.path,
    };
    const printed = await runCommand([LAUNCHER, 'completion', shell]);
    assert.equal(printed.code, 0, printed.stderr);
    const script = join(scratch.path, 'script');
    writeFileSync(script, printed.stdout);
    const offered = async (word: string): Promise<string[]> => {
      const { stdout, stderr } = await runCommand(argvOf(script, word), { env });
      assert.equal(stderr, '');
      return stdout
        .split('\n')
        .map((line) => line.split(/[\t:]/)[0] ?? '')
        .filter((name) => name !== '');
    };
    assert.deepEqual(await offered('lau'), ['launch']);
    const all = await offered('re');
    assert.ok(all.includes('restart') && all.includes('resume'), all.join(' '));
  });
}
