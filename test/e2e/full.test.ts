import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { checkDaemonRestart, checkOwnEnd, checkOwnReboot, checkStop, checkVerbs, infoOf } from './verbs.ts';

/** An emulated machine is this much slower than a container. */
const PATIENCE = 5;

/** Waits until a process handles a signal (proc_pid_status(5), SigCgt). */
async function whenCaught({ pid }: ChildProcess, signal: number): Promise<void> {
  await eventually('it handles the signal', () => {
    const [, mask = '0'] = /^SigCgt:\s*(\w+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  });
}

if (enterPrivateNetns(import.meta.url)) {
  test('a VPS of technique full takes the same verbs', async (t) => {
    await using daemon = await TestDaemon.start('full');
    await daemon.ensureImage();
    await daemon.ensureQuickImage();
    const before = await daemon.inventory();

    await daemon.check(t, 'it boots a kernel of its own', async () => {
      await daemon.ok(
        ['launch', 'debian/12', 'machine', '--technique', 'full', '--memory', '512M', '--disk', '3G'],
        {
          timeoutMs: 300_000,
        },
      );
      await daemon.ok(['launch', 'debian/12', 'beside', '--technique', 'os', '--memory', '256M']);
      const left = await daemon.cli(['exec', 'machine', '--', 'touch', '/root/left'], {
        onStart: (child) => void whenCaught(child, 1).then(() => child.kill('SIGHUP')),
      });
      assert.equal(left.code, 129);
      assert.equal((await infoOf(daemon, 'machine')).health, 'starting');
      const kernel = await daemon.inside('machine', 'ls /root; uname -v', { timeoutMs: 150_000 });
      assert.notEqual(kernel, await daemon.inside('beside', 'ls /root; uname -v'));
      assert.ok(!kernel.includes('left'), kernel);
    });

    await checkVerbs(t, daemon, 'machine', PATIENCE);
    await checkDaemonRestart(t, daemon, 'machine', PATIENCE);

    await daemon.check(t, 'it has its address, and names resolve to and from a container', async () => {
      const { addresses } = await infoOf(daemon, 'machine');
      assert.match(
        await daemon.inside('machine', 'ip -4 -o address show scope global'),
        new RegExp(addresses[0] ?? '?'),
      );
      assert.match(await daemon.inside('beside', 'getent ahostsv4 machine'), new RegExp(addresses[0] ?? '?'));
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
      assert.equal(memory, 640 * 1024 ** 2);
      const live = (await daemon.client.call('techniques.list')).find(({ id }) => id === 'full')?.features
        .liveMemory;
      assert.deepEqual(pendingRestart, live === true ? [] : ['memory']);
    });

    await daemon.check(t, 'a daemon that was killed finds it again, with the same uptime', async () => {
      const uptime = Number((await daemon.inside('machine', 'cat /proc/uptime')).split(' ')[0]);
      await daemon.kill9();
      await daemon.start();
      const later = Number(
        (await daemon.inside('machine', 'cat /proc/uptime', { timeoutMs: 60_000 })).split(' ')[0],
      );
      assert.ok(later > uptime);
    });

    await daemon.check(t, 'a snapshot finds its file systems at rest, and it goes on', async () => {
      await daemon.inside('machine', 'echo good >/root/data; sync');
      const made: unknown = JSON.parse(
        await daemon.ok(['snapshot', 'create', 'machine', 'good', '--json'], { timeoutMs: 60_000 }),
      );
      assert.ok(typeof made === 'object' && made !== null && 'consistency' in made);
      assert.equal(made.consistency, 'file-system');
      await daemon.inside('machine', 'echo bad >/root/data; sync');
      assert.equal(await daemon.inside('machine', 'cat /root/data'), 'bad');
    });

    await daemon.check(
      t,
      'a snapshot with memory brings it back as it ran, with its clock right',
      async () => {
        await daemon.ok(['set', 'machine', 'memory=512M']);
        const inMemory = 'cat /run/mark; cat /proc/sys/kernel/random/boot_id';
        await daemon.inside('machine', 'echo held >/run/mark; (sleep 1000 & echo $! >/run/sleeper)');
        const before = await daemon.inside('machine', inMemory);
        await daemon.ok(['snapshot', 'create', 'machine', 'mid-work', '--stateful'], { timeoutMs: 120_000 });
        assert.match(await daemon.ok(['snapshot', 'list', 'machine']), /mid-work .*kept/);
        await daemon.inside(
          'machine',
          'rm /run/mark; echo worse >/root/data; kill $(cat /run/sleeper); sync',
        );
        await daemon.ok(['stop', 'machine', '--force']);
        await daemon.ok(['snapshot', 'restore', 'machine', 'mid-work'], { timeoutMs: 120_000 });
        await eventually(
          'it answers',
          async () => (await infoOf(daemon, 'machine')).health === 'ready',
          120_000,
        );
        assert.equal(await daemon.inside('machine', inMemory, { timeoutMs: 60_000 }), before);
        assert.equal(await daemon.inside('machine', 'cat /root/data; kill -0 $(cat /run/sleeper)'), 'bad');
        const clock = Number(await daemon.inside('machine', 'date +%s'));
        assert.ok(Math.abs(clock - Date.now() / 1000) < 60, String(clock));
        const [address] = (await infoOf(daemon, 'machine')).addresses;
        assert.match(
          await daemon.inside('machine', 'ip -4 -o address show eth0'),
          new RegExp(address ?? '?'),
        );
        assert.match(await daemon.inside('machine', 'getent ahostsv4 beside'), /\d+\.\d+\.\d+\.\d+/);
      },
    );

    await daemon.check(
      t,
      'a daemon that is killed while memory is saved leaves nothing half done',
      async () => {
        const { id } = await infoOf(daemon, 'machine');
        const volume = join(daemon.place.stateDirectory, 'pool/volumes', id);
        const acting = daemon.cli(['snapshot', 'create', 'machine', 'cut', '--stateful']);
        await eventually(
          'its memory is being written',
          async () => existsSync(join(volume, 'memory.new')),
          30_000,
        );
        await daemon.kill9();
        await acting;
        await daemon.start();
        await eventually(
          'the next daemon has finished what was under way',
          async () => (await daemon.client.call('tasks.list')).every(({ state }) => state !== 'running'),
          60_000,
        );
        const { state, snapshots } = await infoOf(daemon, 'machine');
        assert.equal(state, 'running');
        assert.ok(snapshots.every(({ name, stateful }) => name !== 'cut' || stateful));
        assert.equal(
          await daemon.inside('machine', 'kill -0 $(cat /run/sleeper); cat /run/mark', { timeoutMs: 60_000 }),
          'held',
        );
        assert.deepEqual(
          readdirSync(volume).filter((name) => name.startsWith('memory')),
          [],
        );
      },
    );

    await checkStop(t, daemon, 'machine', PATIENCE);

    await daemon.check(t, 'one that boots without systemd answers the same verbs', async () => {
      const size = ['--memory', '256M', '--disk', '1G'];
      await daemon.ok(['launch', 'quick', 'second', '--technique', 'full', ...size], { timeoutMs: 300_000 });
    });

    await checkOwnReboot(t, daemon, 'second', PATIENCE, ['sh', '-c', 'sync; echo b >/proc/sysrq-trigger']);
    await checkOwnEnd(t, daemon, 'second', PATIENCE, ['/usr/sbin/shutdown']);

    await daemon.check(t, 'a copy of a snapshot is a machine of its own', async () => {
      const own = (name: string): Promise<string> =>
        daemon.inside(
          name,
          'cat /etc/machine-id /sys/class/net/eth0/address; hostname; grep host-keys- /etc/systemd/system/mullion-ssh-keys.service; cat /root/data',
          { timeoutMs: 60_000 },
        );
      await daemon.inside('second', 'echo good >/root/data; sync');
      await daemon.ok(['snapshot', 'create', 'second', 'good'], { timeoutMs: 60_000 });
      await daemon.inside('second', 'echo bad >/root/data; sync');
      await daemon.ok(['copy', 'second/good', 'twin', '--start'], { timeoutMs: 300_000 });
      await daemon.answers('twin');
      const [second, twin] = [(await own('second')).split('\n'), (await own('twin')).split('\n')];
      assert.deepEqual([second.at(-1), twin.at(-1)], ['bad', 'good']);
      assert.deepEqual([second[2], twin[2]], ['second', 'twin']);
      for (const [index, line] of twin.entries()) assert.notEqual(line, second[index]);
    });

    await daemon.check(t, 'after deleting them, the host is as before', async () => {
      await daemon.ok(['delete', 'machine', 'second', 'twin', 'beside', '--force'], { timeoutMs: 120_000 });
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
