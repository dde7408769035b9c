import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApiWorld } from '../support/api-world.ts';
import { runCommand } from '../support/command.ts';
import { LAUNCHER } from '../support/daemon.ts';

test('launch says in one sentence why it chose a technique, and nothing of one that was asked for', async () => {
  await using api = await ApiWorld.start();
  const launch = async (...args: string[]): Promise<string> => {
    const argv = [LAUNCHER, 'launch', 'debian/12', ...args];
    const { code, stdout, stderr } = await runCommand(argv, {
      env: { MULLION_URL: `unix:${api.socketPath}` },
    });
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const why = 'os (OS-level virtualization) is the lightest of the techniques that this host can run';
  for (const args of [['one'], ['two', '--technique', 'auto']]) {
    const [first = '', second = '', ...rest] = (await launch(...args)).split('\n');
    assert.match(first, /^\w+ is running at \S+ \(technique os\)$/);
    assert.ok(second.startsWith(why) && second.endsWith('.'), second);
    assert.deepEqual(rest, ['']);
  }
  assert.match(
    await launch('three', '--technique', 'full'),
    /^three is running at \S+ \(technique full\)\n$/,
  );
  assert.equal(await launch('four', '--quiet'), '');
});
