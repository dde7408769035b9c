import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';
import { umlUnfit } from '../support/uml-fixture.ts';
import { infoOf, listVps } from './verbs.ts';

const MIB = 1024 ** 2;
const PATIENCE_MS = 120_000;
/** Once more in small pieces: what a write that failed had reserved is free again after it. */
const FILL = [64, 1]
  .map(
    (mib) =>
      `i=0; while dd if=/dev/zero of=/root/fill${mib}-$i bs=1M count=${mib} status=none; do sync; i=$((i+1)); done; sync`,
  )
  .join('; ')
  .concat('; echo ended');
/** Goes on without anybody who waits for it; the sum is that of what was meant to be written. */
const WRITE =
  'head -c 24M /dev/urandom >/dev/shm/meant && (cd /root && nohup sh -c "cp /dev/shm/meant big && sync && touch written && sync" >/root/log 2>&1 &)';

if (enterPrivateNetns(import.meta.url)) {
  test('virtual machines on a pool that is full', async (t) => {
    await using daemon = await TestDaemon.start('spacefull', { poolSize: '4G' });
    await daemon.ensureQuickImage();
    const machines = [
      { name: 'vm', technique: 'full', unfit: undefined },
      { name: 'uml', technique: 'kernel', unfit: await umlUnfit() },
    ] as const;
    const fit = machines.filter(({ unfit }) => unfit === undefined);
    for (const { name, technique } of fit) {
      await daemon.ok(
        ['launch', 'quick', name, '--technique', technique, '--memory', '256M', '--disk', '1G'],
        { timeoutMs: 600_000 },
      );
      await daemon.answers(name);
      await daemon.inside(name, 'echo from before >/root/kept; sync');
    }
    const each = async (what: string, body: (name: string) => Promise<void>): Promise<void> => {
      for (const { name, technique, unfit } of machines) {
        await daemon.check(t, `of technique ${technique} ${what}`, async (inner) => {
          if (unfit !== undefined) return inner.skip(unfit);
          await body(name);
        });
      }
    };
    const whenDegraded = (name: string): Promise<unknown> =>
      eventually(
        'it stands still',
        async () => (await infoOf(daemon, name)).health === 'degraded',
        PATIENCE_MS,
      );

    await daemon.check(t, 'are there when a container has filled it', async () => {
      const { free } = await daemon.client.call('pools.info', { params: { name: 'default' } });
      const disk = `${Math.floor(free / MIB) - 1}M`;
      await daemon.ok(['launch', 'quick', 'hog', ...PLAIN, '--technique', 'os', '--disk', disk]);
      assert.equal(await daemon.inside('hog', FILL, { timeoutMs: 240_000 }), 'ended');
    });

    await each('stands still, and tells so', async (name) => {
      await daemon.inside(name, WRITE);
      await whenDegraded(name);
      const listed = (await listVps(daemon)).find((vps) => vps.name === name);
      assert.equal(listed?.state, 'running');
      assert.match(listed?.message ?? '', /stands still, as the pool is full/);
      assert.match(await daemon.ok(['list']), new RegExp(`${name} .*running \\(degraded\\)`));
      assert.match(await daemon.ok(['info', name]), /the pool is full/);
      const refused = await daemon.cli(['exec', name, '--', 'true']);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /the pool is full.*\n?.*pool grow/s);
    });

    await daemon.check(t, 'are found so by the next daemon', async () => {
      await daemon.kill9();
      await daemon.start();
      for (const { name } of fit) {
        assert.equal((await infoOf(daemon, name)).state, 'running');
        await whenDegraded(name);
      }
    });

    await daemon.check(t, 'have room once another VPS is gone', async () => {
      await daemon.ok(['delete', 'hog', '--force']);
    });

    await each('goes on by itself then, with its data right', async (name) => {
      await eventually(
        'it goes on',
        async () => (await infoOf(daemon, name)).health === 'ready',
        PATIENCE_MS,
      );
      await eventually(
        'all is written',
        async () => (await daemon.cli(['exec', name, '--', 'test', '-e', '/root/written'])).code === 0,
        PATIENCE_MS,
      );
      await daemon.inside(name, 'echo 3 >/proc/sys/vm/drop_caches; cmp /root/big /dev/shm/meant');
      assert.equal(await daemon.inside(name, 'cat /root/kept'), 'from before');
      assert.equal(await daemon.inside(name, 'dmesg | grep -ci "i/o error" || true'), '0');
      assert.equal((await infoOf(daemon, name)).message, '');
    });
  });
}
