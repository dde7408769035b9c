import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { execArgv, quoteWord, resizeArgv, signalArgv } from './exec-script.ts';

const word = fc.string({ unit: fc.constantFrom(...'ab \'"$`\\;&|<>(){}*?!~#\n\t=-é') });
const channels = { stdin: '/dev/a', stdout: '/dev/b', stderr: '/dev/c' };

test('a quoted word is the same word to a shell, whatever is in it', () => {
  fc.assert(
    fc.property(word, (text) => {
      const shown = spawnSync('/bin/sh', ['-c', `printf %s ${quoteWord(text)}`], { encoding: 'utf8' });
      assert.equal(shown.stdout, text);
    }),
    { numRuns: 40 },
  );
});

test('arguments, variables and folder of a request are never part of a script', () => {
  const hostile = '$(touch /tmp/x); `id` "\' \n';
  const argv = execArgv(
    { argv: ['echo', hostile], env: { A: hostile }, cwd: hostile, tty: false },
    't',
    channels,
    {},
  );
  const scripts = argv.filter((_, index) => argv[index - 1] === '-c' || index === 2);
  for (const script of scripts) assert.ok(!script.includes('touch /tmp/x'));
  assert.ok(argv.includes(hostile));
  assert.ok(argv.includes(`A=${hostile}`));
});

test("the request's variables come after the VPS's own", () => {
  const argv = execArgv({ argv: ['x'], env: { A: 'request' }, tty: false }, 't', channels, {
    A: 'vps',
    B: 'vps',
  });
  assert.ok(argv.includes('A=request'));
  assert.ok(!argv.includes('A=vps'));
  assert.ok(argv.includes('B=vps'));
});

test('with a terminal everything travels in one quoted command line', () => {
  const { stderr: _, ...two } = channels;
  const argv = execArgv(
    { argv: ["it's"], env: {}, tty: true, window: { rows: 31, columns: 91 } },
    't',
    two,
    {},
  );
  const line = argv.at(-1) ?? '';
  assert.ok(line.endsWith(`'it'\\''s'`));
  assert.ok(line.includes(`'31' '91'`));
});

test('every script of an exec is correct for a POSIX shell', () => {
  const scripts = [
    ...execArgv({ argv: ['x'], env: {}, tty: false }, 't', channels, {}),
    ...execArgv({ argv: ['x'], env: {}, tty: true }, 't', { stdin: 'a', stdout: 'b' }, {}),
    ...signalArgv('SIGTERM', 2),
    ...resizeArgv('/dev/pts/0', 1, 1),
  ].filter((text) => /[;\n|]/.test(text));
  assert.ok(scripts.length >= 3);
  for (const script of scripts) assert.equal(spawnSync('/bin/sh', ['-n', '-c', script]).status, 0, script);
});
