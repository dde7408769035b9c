import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { umlUnfit } from '../support/uml-fixture.ts';
import { checkDaemonRestart, checkRestart, checkStop, checkVerbs, infoOf } from './verbs.ts';

/** A guest under User-Mode Linux is this much slower than a container. */
const PATIENCE = 5;

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS of technique kernel takes the same verbs', async (t) => {
    const unfit = await umlUnfit();
    if (unfit !== undefined) return t.skip(unfit);
    await using daemon = await TestDaemon.start('kernel');
    await daemon.ensureImage();
    await daemon.ensureQuickImage();
    const before = await daemon.inventory();

    await daemon.check(t, 'two processors are refused, with what would fit', async () => {
      const refused = await daemon.cli(
        ['launch', 'debian/12', 'wide', '--technique', 'kernel', '--cpus', '2'],
        { timeoutMs: 60_000 },
      );
      assert.notEqual(refused.code, 0);
      assert.match(refused.stderr, /one processor/);
    });

    await daemon.check(t, 'it boots a kernel of its own', async () => {
      const flags = ['--technique', 'kernel', '--memory', '512M', '--disk', '3G'];
      await daemon.ok(['launch', 'debian/12', 'machine', ...flags], { timeoutMs: 300_000 });
      await daemon.ok(['launch', 'debian/12', 'beside', '--technique', 'os', '--memory', '256M']);
      await daemon.answers('machine');
      assert.notEqual(await daemon.inside('machine', 'uname -v'), await daemon.inside('beside', 'uname -v'));
      assert.equal(await daemon.inside('machine', 'systemd-detect-virt'), 'uml');
    });

    await checkVerbs(t, daemon, 'machine', PATIENCE);
    await checkDaemonRestart(t, daemon, 'machine', PATIENCE);

    await daemon.check(t, 'it has its address, and names resolve to and from a container', async () => {
      const [address = '?'] = (await infoOf(daemon, 'machine')).addresses;
      await eventually(
        'its network service has given it its address',
        async () =>
          (await daemon.inside('machine', 'ip -4 -o address show eth0 scope global')).includes(address),
        60_000,
      );
      assert.match(await daemon.inside('beside', 'getent ahostsv4 machine'), new RegExp(address));
      assert.match(await daemon.inside('machine', 'getent ahostsv4 beside'), /\d+\.\d+\.\d+\.\d+/);
    });

    await daemon.check(t, 'its limits hold: memory and disk are what was asked for', async () => {
      const kib = Number(await daemon.inside('machine', "awk '/MemTotal/ {print $2}' /proc/meminfo"));
      assert.ok(kib > 400 * 1024 && kib <= 512 * 1024, String(kib));
      const size = Number(await daemon.inside('machine', 'df --output=size -B1 / | tail -n 1'));
      assert.ok(size > 2.5 * 1024 ** 3 && size <= 3 * 1024 ** 3, String(size));
      assert.equal(await daemon.inside('machine', 'nproc'), '1');
    });

    await daemon.check(t, 'set says what waits for the next start', async () => {
      await daemon.ok(['set', 'machine', 'memory=640M']);
      const { memory, pendingRestart } = await infoOf(daemon, 'machine');
      assert.deepEqual([memory, pendingRestart], [640 * 1024 ** 2, ['memory']]);
    });

    await daemon.check(t, 'its disk grows at once, under what runs', async () => {
      const look = async () => {
        const seen = await daemon.inside(
          'machine',
          'cat /proc/sys/kernel/random/boot_id; df --output=size -B1 / | tail -n 1; cat /root/before-growth',
        );
        const [boot, size, data] = seen.split('\n');
        return { boot, size: Number(size), data };
      };
      await daemon.inside('machine', 'echo precious >/root/before-growth');
      const before = await look();
      await daemon.ok(['set', 'machine', 'disk=4G'], { timeoutMs: 120_000 });
      const { disk, pendingRestart } = await infoOf(daemon, 'machine');
      assert.deepEqual([disk, pendingRestart], [4 * 1024 ** 3, ['memory']]);
      const after = await look();
      assert.deepEqual([after.boot, after.data], [before.boot, 'precious']);
      assert.ok(after.size > before.size + 0.8 * 1024 ** 3, `${before.size} and ${after.size}`);
      // Names of the file system lead to the part of the disk that grows.
      const uuid = 'readlink -f /dev/disk/by-uuid/* /dev/disk/by-label/* | sort -u';
      assert.equal(await daemon.inside('machine', uuid), '/dev/ubda1');
      assert.equal(await daemon.inside('machine', 'systemctl --failed --quiet --no-legend'), '');
    });

    await daemon.check(t, 'modules of its own kernel are there, and load', async () => {
      const loaded = 'modprobe dummy && lsmod | grep -c ^dummy';
      assert.equal(await daemon.inside('machine', loaded, { timeoutMs: 60_000 }), '1');
    });

    await daemon.check(t, 'a daemon that was killed finds it again, with the same uptime', async () => {
      const uptime = Number((await daemon.inside('machine', 'cat /proc/uptime')).split(' ')[0]);
      await daemon.kill9();
      await daemon.start();
      const later = await daemon.inside('machine', 'cat /proc/uptime', { timeoutMs: 60_000 });
      assert.ok(Number(later.split(' ')[0]) > uptime);
    });

    await checkStop(t, daemon, 'machine', PATIENCE);

    await daemon.check(t, 'one that boots without systemd answers the same verbs', async () => {
      const size = ['--memory', '256M', '--disk', '1G'];
      await daemon.ok(['launch', 'quick', 'second', '--technique', 'kernel', ...size], {
        timeoutMs: 300_000,
      });
      await daemon.answers('second');
    });

    await checkRestart(t, daemon, 'second', PATIENCE);

    await daemon.check(t, 'after deleting them, the host is as before', async () => {
      await daemon.ok(['delete', 'machine', 'second', 'beside', '--force'], { timeoutMs: 120_000 });
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
