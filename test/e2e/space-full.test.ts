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
    await daemon.ok(['launch', 'quick', 'vm', '--technique', 'full', '--memory', '256M', '--disk', '1G'], {
      timeoutMs: 600_000,
    });
    await daemon.answers('vm');
    const unfit = await umlUnfit();
    if (unfit === undefined) {
      await daemon.ok(
        ['launch', 'quick', 'uml', '--technique', 'kernel', '--memory', '256M', '--disk', '1G'],
        {
          timeoutMs: 600_000,
        },
      );
      await daemon.answers('uml');
      await daemon.inside('uml', 'echo from before >/root/kept; sync');
    }

    await daemon.check(t, 'stands still, loses nothing, and tells so', async () => {
      const { free } = await daemon.client.call('pools.info', { params: { name: 'default' } });
      await daemon.ok([
        'launch',
        'quick',
        'hog',
        ...PLAIN,
        '--technique',
        'os',
        '--disk',
        `${Math.floor(free / MIB) - 1}M`,
      ]);
      assert.equal(await daemon.inside('hog', FILL, { timeoutMs: 240_000 }), 'ended');
      await daemon.inside('vm', WRITE);
      await eventually(
        'it stands still',
        async () => (await infoOf(daemon, 'vm')).health === 'degraded',
        PATIENCE_MS,
      );
      const listed = (await listVps(daemon)).find(({ name }) => name === 'vm');
      assert.equal(listed?.state, 'running');
      assert.match(listed?.message ?? '', /stands still, as the pool is full/);
      assert.match(await daemon.ok(['list']), /vm .*running \(degraded\)/);
      assert.match(await daemon.ok(['info', 'vm']), /the pool is full/);
      const refused = await daemon.cli(['exec', 'vm', '--', 'true']);
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /the pool is full.*\n?.*pool grow/s);
    });

    await daemon.check(
      t,
      'of technique kernel is told of an I/O error, and writes no more',
      async (inner) => {
        if (unfit !== undefined) return inner.skip(unfit);
        const write = 'head -c 24M /dev/zero >/root/big; sync; sleep 1; touch /root/later; dmesg';
        await eventually(
          'its file system cannot be written any more',
          async () => {
            const { stdout, stderr } = await daemon.cli(['exec', 'uml', '--', 'sh', '-c', write]);
            return /I\/O error/.test(stdout) && /Read-only file system/.test(stderr);
          },
          PATIENCE_MS,
        );
      },
    );

    await daemon.check(t, 'is found so by the next daemon', async () => {
      await daemon.kill9();
      await daemon.start();
      assert.equal((await infoOf(daemon, 'vm')).state, 'running');
      await eventually(
        'it stands still',
        async () => (await infoOf(daemon, 'vm')).health === 'degraded',
        PATIENCE_MS,
      );
    });

    await daemon.check(t, 'goes on by itself once there is room, with its data right', async () => {
      await daemon.ok(['delete', 'hog', '--force']);
      await eventually(
        'it goes on',
        async () => (await infoOf(daemon, 'vm')).health === 'ready',
        PATIENCE_MS,
      );
      await eventually(
        'all is written',
        async () => (await daemon.cli(['exec', 'vm', '--', 'test', '-e', '/root/written'])).code === 0,
        PATIENCE_MS,
      );
      await daemon.inside('vm', 'echo 3 >/proc/sys/vm/drop_caches; cmp /root/big /dev/shm/meant');
      assert.equal(await daemon.inside('vm', 'dmesg | grep -ci "i/o error" || true'), '0');
      assert.equal((await infoOf(daemon, 'vm')).message, '');
    });

    await daemon.check(
      t,
      'of technique kernel has what it wrote before, once it is started anew',
      async (inner) => {
        if (unfit !== undefined) return inner.skip(unfit);
        await daemon.ok(['stop', 'uml', '--force']);
        await daemon.ok(['start', 'uml'], { timeoutMs: 300_000 });
        await daemon.answers('uml');
        assert.equal(await daemon.inside('uml', 'touch /root/later && cat /root/kept'), 'from before');
      },
    );
  });
}
