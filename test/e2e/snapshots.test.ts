import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { infoOf, listVps, stateOf } from './verbs.ts';

/** Counts in a file, made durable with each number, and acknowledges each after that; two files that must agree. */
const DATABASE = `use IO::Handle;
open my $log, '>>', '/root/log' or die; open my $copy, '>>', '/root/copy' or die;
for my $n (1..1e9) {
  for my $file ($log, $copy) { print $file "$n\\n"; $file->flush; $file->sync; }
  open my $ack, '>', '/run/acknowledged.new' or die; print $ack $n; close $ack;
  rename '/run/acknowledged.new', '/run/acknowledged';
}`;
const KILLS_AFTER_MS = [20, 60, 120, 250] as const;

const own = (daemon: TestDaemon, name: string): Promise<string> =>
  daemon.inside(
    name,
    'cat /etc/machine-id; cat /etc/ssh/ssh_host_ed25519_key.pub; cat /sys/class/net/eth0/address; hostname',
  );

if (enterPrivateNetns(import.meta.url)) {
  test('snapshots and copies of a VPS that runs', async (t) => {
    await using daemon = await TestDaemon.start('snapshots');
    await daemon.ensureImage();
    const before = await daemon.inventory();
    await daemon.ok(['launch', 'debian/12', 'web', '--technique', 'os', '--memory', '256M', '--disk', '1G']);
    await daemon.ok(['exec', 'web', '--', 'sh', '-c', 'cat >/root/database.pl'], { stdin: DATABASE });

    await daemon.check(t, 'a snapshot holds every commit that was acknowledged before it', async () => {
      await daemon.inside('web', 'setsid perl /root/database.pl </dev/null >/dev/null 2>&1 &');
      await eventually(
        'it counts',
        async () => (await daemon.cli(['exec', 'web', '--', 'cat', '/run/acknowledged'])).code === 0,
      );
      for (const snapshot of ['one', 'two']) {
        const acknowledged = Number(await daemon.inside('web', 'cat /run/acknowledged'));
        const made: unknown = JSON.parse(await daemon.ok(['snapshot', 'create', 'web', snapshot, '--json']));
        assert.ok(typeof made === 'object' && made !== null && 'consistency' in made);
        assert.equal(made.consistency, 'file-system');
        await daemon.ok(['copy', `web/${snapshot}`, `copy-${snapshot}`, '--start']);
        const [log, copied] = (
          await daemon.inside(`copy-${snapshot}`, 'tail -n1 /root/log; tail -n1 /root/copy')
        )
          .split('\n')
          .map(Number);
        assert.ok(log !== undefined && log >= acknowledged, `${log} of ${acknowledged}`);
        assert.ok(copied === log || copied === log - 1, `${copied} beside ${log}`);
      }
    });

    await daemon.check(t, 'a copy of what runs is a server of its own', async () => {
      await daemon.ok(['copy', 'web', 'twin', '--start']);
      for (const name of ['web', 'twin']) {
        await eventually(
          `${name} has its keys`,
          async () =>
            (await daemon.cli(['exec', name, '--', 'test', '-s', '/etc/ssh/ssh_host_ed25519_key.pub']))
              .code === 0,
          30_000,
        );
      }
      const [web, twin] = [(await own(daemon, 'web')).split('\n'), (await own(daemon, 'twin')).split('\n')];
      for (const [index, what] of ['machine id', 'host key', 'MAC', 'host name'].entries()) {
        assert.ok(web[index] !== undefined && web[index] !== '', what);
        assert.notEqual(web[index], twin[index], what);
      }
      const { addresses, limits } = await infoOf(daemon, 'twin');
      assert.match(
        await daemon.inside('twin', 'ip -4 -o address show scope global'),
        new RegExp(addresses[0] ?? '?'),
      );
      assert.match(await daemon.inside('web', 'getent ahostsv4 twin'), new RegExp(addresses[0] ?? '?'));
      assert.deepEqual(limits, (await infoOf(daemon, 'web')).limits);
    });

    await daemon.check(t, 'a restore of what runs takes it back and starts it again', async () => {
      await daemon.inside('web', 'echo gone >/root/later; rm -r /etc/apt');
      await daemon.ok(['snapshot', 'restore', 'web', 'one']);
      assert.equal(await stateOf(daemon, 'web'), 'running');
      assert.equal(
        await daemon.inside('web', 'ls -d /etc/apt; ls /root/later 2>/dev/null || true'),
        '/etc/apt',
      );
    });

    await daemon.check(
      t,
      'a daemon that is killed in a snapshot, a restore or a copy leaves nothing half done',
      async () => {
        await daemon.ok(['snapshot', 'create', 'twin', 'mark']);
        for (const [round, delayMs] of KILLS_AFTER_MS.entries()) {
          const acting = [
            daemon.cli(['snapshot', 'create', 'web', `kill${round}`]),
            daemon.cli(['snapshot', 'restore', 'twin', 'mark']),
            daemon.cli(['copy', 'web', `killed${round}`]),
          ];
          await new Promise((resolve) => setTimeout(resolve, delayMs));
          await daemon.kill9();
          await Promise.all(acting);
          await daemon.start();
          await eventually(
            'all have settled',
            async () =>
              (await listVps(daemon)).every(({ state }) => state === 'running' || state === 'stopped'),
            30_000,
          );
          const known = new Set((await infoOf(daemon, 'web')).snapshots.map(({ name }) => name));
          if (known.has(`kill${round}`)) await daemon.ok(['snapshot', 'delete', 'web', `kill${round}`]);
          else await daemon.ok(['snapshot', 'create', 'web', `kill${round}`]);
          assert.equal(await daemon.inside('web', 'echo works'), 'works');
          assert.deepEqual((await infoOf(daemon, 'web')).message, '');
        }
      },
    );

    await daemon.check(t, 'errors name the remedy', async () => {
      const missing = await daemon.cli(['snapshot', 'restore', 'web', 'nosuch']);
      assert.equal(missing.code, 2);
      assert.match(missing.stderr, /mullion snapshot list web/);
      assert.equal((await daemon.cli(['copy', 'web/../x', 'y'])).code, 2);
      assert.equal((await daemon.cli(['snapshot', 'create', 'web', '../x'])).code, 2);
      assert.equal((await daemon.cli(['copy', 'web', 'twin'])).code, 2);
      assert.match(await daemon.ok(['snapshot', 'list', 'web']), /one .*file-system/);
    });

    await daemon.check(t, 'after deleting all, the host is as before', async () => {
      const names = (await listVps(daemon)).map(({ name }) => name);
      await daemon.ok(['delete', ...names, '--force']);
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}
