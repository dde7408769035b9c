import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeBundle } from '../../scripts/bundle/make-bundle.ts';
import { runCommand } from '../support/command.ts';
import { ROOT, TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { scratchDirectory } from '../support/scratch.ts';

if (enterPrivateNetns(import.meta.url)) {
  test('the bundle installs without a network, npm or Node, and is the same when made again', async (t) => {
    using scratch = scratchDirectory('bundle');
    const before = process.umask(0o077);
    const [first, again] = await Promise.all(
      // To compress more takes most of the time, and changes nothing of what is compared.
      ['first', 'again'].map((name) => makeBundle(ROOT, join(scratch.path, name), 1)),
    ).finally(() => process.umask(before));
    assert.ok(first !== undefined && again !== undefined);

    await t.test('two of the same sources are equal', () => {
      assert.equal(first.digest, again.digest);
    });

    const plain = { env: { PATH: '/usr/bin:/bin', HOME: scratch.path } };
    const unpacked = await runCommand(['tar', 'xf', first.path, '-C', scratch.path], plain);
    assert.equal(unpacked.code, 0, unpacked.stderr);
    const folder = join(scratch.path, first.name);
    const launcher = join(folder, 'mullion');

    await t.test('it holds what belongs to an installation, and nothing of the development', () => {
      for (const path of ['debian-packages.txt', 'packaging/mullion.service', 'LICENSE', 'README.md'])
        assert.ok(existsSync(join(folder, path)), path);
      assert.deepEqual(readdirSync(join(folder, 'node_modules')).sort(), [
        '@koromix',
        'koffi',
        `node-linux-${process.arch}`,
      ]);
      assert.ok(!existsSync(join(folder, 'scripts')) && !existsSync(join(folder, 'src')));
    });

    await t.test('its command and its daemon run, system calls included', async () => {
      await using daemon = await TestDaemon.start('bundle', {
        start: false,
        config: { network: { enabled: false } },
      });
      const run = async (args: readonly string[]): Promise<string> => {
        const result = await runCommand([launcher, ...args], {
          env: { ...daemon.environment, ...plain.env },
        });
        assert.equal(result.code, 0, `${args.join(' ')}: ${result.stdout}${result.stderr}`);
        return result.stdout;
      };
      assert.match(await run(['--version']), /^mullion \d/);
      await run(['daemon', 'start']);
      try {
        assert.match(await run(['techniques']), /^full\s+healthy/m);
      } finally {
        await run(['daemon', 'stop']);
      }
    });
  });
}
