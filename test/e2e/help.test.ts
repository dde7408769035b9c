import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { COMMAND_NAMES } from '../../src/cli/registry.ts';
import { runCommand } from '../support/command.ts';
import { LAUNCHER } from '../support/daemon.ts';

const mullion = (...args: string[]) =>
  runCommand([LAUNCHER, ...args], { env: { MULLION_RUN_DIR: '/nonexistent' }, timeoutMs: 20_000 });

describe('help and completion, without a daemon', () => {
  test('the overview names every command and fits a terminal', async () => {
    const { code, stdout } = await mullion('help');
    assert.equal(code, 0);
    for (const name of COMMAND_NAMES) assert.ok(stdout.includes(name.split(' ')[0] ?? ''), name);
    assert.deepEqual(
      stdout.split('\n').filter((line) => line.length > 100),
      [],
    );
  });

  // The overview has loaded each command; every page is looked at by the tests of the registry.
  for (const name of ['launch', 'file push', 'backup repo add', 'daemon run', 'quickstart']) {
    test(`mullion ${name} --help gives usage and an example`, async () => {
      const { code, stdout, stderr } = await mullion(...name.split(' '), '--help');
      assert.equal(code, 0, stderr);
      assert.match(stdout, new RegExp(`mullion ${name}`));
      assert.match(stdout, /usage/i);
      assert.equal(stderr, '');
    });
  }

  test('the completion scripts are accepted by their shells', async () => {
    for (const shell of ['bash', 'zsh', 'fish']) {
      const { code, stdout } = await mullion('completion', shell);
      assert.equal(code, 0, shell);
      assert.match(stdout, /mullion/);
      if (shell === 'bash') assert.equal((await runCommand(['bash', '-n'], { stdin: stdout })).code, 0);
    }
  });

  test('version prints the version of package.json', async () => {
    assert.match((await mullion('version')).stdout, /\b\d+\.\d+\.\d+\b/);
    assert.equal((await mullion('--version')).code, 0);
  });
});
