import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';
import { listVps } from './verbs.ts';

/** From before the requests arrive to after the last launch. */
const KILLS_AFTER_MS = [90, 160, 300, 700] as const;
const SETTLED = new Set(['running', 'stopped', 'error']);

if (enterPrivateNetns(import.meta.url)) {
  test('the daemon may be killed at any moment', async (t) => {
    await using daemon = await TestDaemon.start('restart');
    await daemon.ensureQuickImage();
    const before = await daemon.inventory();
    const names = Array.from({ length: 6 }, (_, index) => `v${index}`);
    const launch = (name: string) =>
      daemon.cli([
        'launch',
        'quick',
        name,
        ...PLAIN,
        '--technique',
        'os',
        '--memory',
        '128M',
        '--disk',
        '512M',
      ]);

    await daemon.ok(['launch', 'quick', 'steady', ...PLAIN, '--technique', 'os', '--memory', '256M']);
    const identity = async (): Promise<string> =>
      daemon.inside(
        'steady',
        'cat /proc/sys/kernel/random/boot_id; stat -c %Y /proc/1; cat /proc/1/stat | cut -d" " -f22',
      );
    const first = await identity();

    for (const [round, delayMs] of KILLS_AFTER_MS.entries()) {
      await daemon.check(t, `kill ${round + 1}: ${delayMs} ms into parallel launches`, async () => {
        const launches = names.map((name) => launch(`${name}-${round}`));
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        await daemon.kill9();
        await Promise.all(launches);
        await daemon.start();
        await eventually(
          'every VPS has settled',
          async () => (await listVps(daemon)).every(({ state }) => SETTLED.has(state)),
          60_000,
        );
        assert.equal(await identity(), first, 'the VPS that ran goes on with the same first process');
        for (const vps of await listVps(daemon)) {
          assert.notEqual(vps.state, 'error', `${vps.name}: ${vps.message}`);
          if (vps.state === 'running') {
            assert.equal(await daemon.inside(vps.name, 'echo works'), 'works', vps.name);
          }
        }
      });
    }

    await daemon.check(t, 'a name whose launch was undone can be launched again', async () => {
      const known = new Set((await listVps(daemon)).map(({ name }) => name));
      const undone = KILLS_AFTER_MS.flatMap((_, round) => names.map((name) => `${name}-${round}`)).filter(
        (name) => !known.has(name),
      );
      assert.ok(undone.length > 0, 'no launch was cut short: kill earlier');
      for (const name of undone.slice(0, 3)) {
        const result = await launch(name);
        assert.equal(result.code, 0, result.stderr);
      }
    });

    await daemon.check(t, 'a daemon that ends in order leaves the VPSs running too', async () => {
      await daemon.restart();
      assert.equal(await identity(), first);
      assert.deepEqual(
        (await listVps(daemon))
          .filter(({ state }) => state !== 'running')
          .map(({ name, message }) => [name, message]),
        [],
      );
    });

    await daemon.check(t, 'a second daemon of the same state refuses to start', async () => {
      const second = await daemon.cli(['daemon', 'run'], { timeoutMs: 20_000 });
      assert.ok(second.code > 0, `exit ${second.code}`);
      assert.match(second.stderr + second.stdout, /Another daemon has the state directory/);
    });

    await daemon.check(t, 'a kill in the middle of deletes leaves nothing behind', async () => {
      const all = (await listVps(daemon)).map(({ name }) => name);
      const deleting = daemon.cli(['delete', ...all, '--force']);
      await new Promise((resolve) => setTimeout(resolve, 60));
      await daemon.kill9();
      await deleting;
      await daemon.start();
      await eventually(
        'every VPS has settled',
        async () => (await listVps(daemon)).every(({ state }) => SETTLED.has(state)),
        60_000,
      );
      const rest = (await listVps(daemon)).map(({ name }) => name);
      if (rest.length > 0) await daemon.ok(['delete', ...rest, '--force']);
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
