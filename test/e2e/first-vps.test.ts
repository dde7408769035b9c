import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '../support/daemon.ts';
import { nothingLeft } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import {
  checkDaemonRestart,
  checkOwnEnd,
  checkOwnReboot,
  checkRestart,
  checkStop,
  checkVerbs,
  infoOf,
  listVps,
} from './verbs.ts';

/** A web server in Perl, which every Debian image has. */
const PAGE = `use IO::Socket::INET;
my $listener = IO::Socket::INET->new(LocalPort => 8080, Listen => 5, ReuseAddr => 1) or die;
while (my $peer = $listener->accept) {
  while (my $line = <$peer>) { last if $line =~ /^\\r?$/; }
  print $peer "HTTP/1.0 200 OK\\r\\nContent-Length: 18\\r\\n\\r\\nhello from inside\\n";
  close $peer;
}
`;
const NAMES = ['one', 'two', 'three', 'four', 'five'] as const;
if (enterPrivateNetns(import.meta.url)) {
  test('five VPSs of technique os, from launch to delete', async (t) => {
    await using daemon = await TestDaemon.start('first-vps');
    await daemon.ensureImage();
    const before = await daemon.inventory();

    await daemon.check(t, 'five launches at once all come up, each with an address of its own', async () => {
      await Promise.all(
        NAMES.map((name) =>
          daemon.ok([
            'launch',
            'debian/12',
            name,
            '--technique',
            'os',
            '--memory',
            '256M',
            '--disk',
            '1G',
            '--pids',
            '200',
          ]),
        ),
      );
      const vps = await listVps(daemon);
      assert.deepEqual(vps.map(({ name }) => name).sort(), [...NAMES].sort());
      assert.ok(vps.every(({ state, technique }) => state === 'running' && technique === 'os'));
      assert.equal(
        new Set(vps.flatMap(({ addresses }) => addresses)).size,
        vps.flatMap((v) => v.addresses).length,
      );
    });

    await checkVerbs(t, daemon, 'one', 1);
    await checkDaemonRestart(t, daemon, 'one', 1);
    await checkRestart(t, daemon, 'one', 1);
    await checkOwnReboot(t, daemon, 'one', 1);
    await checkOwnEnd(t, daemon, 'one', 1);

    await daemon.check(t, 'names resolve between VPSs, by IPv4 and IPv6', async () => {
      const two = await infoOf(daemon, 'two');
      await eventually(
        'two answers to its name',
        async () =>
          (await daemon.cli(['exec', 'one', '--', 'getent', 'ahostsv4', 'two'])).stdout.includes(
            two.addresses[0] ?? '?',
          ),
        30_000,
      );
      const v6 = await daemon.inside('one', 'getent ahostsv6 two');
      assert.ok(
        two.addresses.slice(1).some((address) => v6.includes(address)),
        v6,
      );
      const reach = `exec 3<>/dev/tcp/two/22 && head -c 4 <&3`;
      await eventually(
        'the SSH server of two, which may still be starting, answers to its name',
        async () =>
          (await daemon.cli(['exec', 'one', '--', 'timeout', '10', 'bash', '-c', reach])).stdout === 'SSH-',
        30_000,
      );
    });

    await daemon.check(t, "a forward sends the host's port to the VPS", async () => {
      await daemon.ok(['exec', 'three', '--', 'tee', '/root/page.pl'], { stdin: PAGE });
      await daemon.inside('three', 'systemd-run --quiet --unit=page perl /root/page.pl');
      await daemon.ok(['forward', 'add', 'three', '18080:8080']);
      await eventually(
        'the page can be read on the loopback of the host',
        async () => {
          const page = await fetch('http://127.0.0.1:18080/').then(
            (response) => response.text(),
            () => '',
          );
          return page === 'hello from inside\n';
        },
        20_000,
      );
      assert.match(await daemon.ok(['forward', 'list', 'three']), /18080/);
      await daemon.ok(['forward', 'remove', 'three', '18080:8080']);
      await assert.rejects(fetch('http://127.0.0.1:18080/', { signal: AbortSignal.timeout(2_000) }));
    });

    await daemon.check(t, 'set changes memory and processors of a running VPS', async () => {
      const seen = async () => [
        await daemon.inside('four', 'grep -c ^processor /proc/cpuinfo'),
        await daemon.inside('four', "awk '/^MemTotal/ {print $2}' /proc/meminfo"),
      ];
      assert.deepEqual(await seen(), ['1', String(256 * 1024)]);
      await daemon.ok(['set', 'four', 'memory=384M', 'cpus=2']);
      assert.deepEqual(await seen(), ['2', String(384 * 1024)]);
      await daemon.ok(['set', 'four', 'cpus=0.5']);
      const { memory, cpus, pendingRestart } = await infoOf(daemon, 'four');
      assert.deepEqual([memory, cpus, pendingRestart], [384 * 1024 ** 2, 0.5, []]);
      assert.deepEqual(await seen(), ['1', String(384 * 1024)]);
    });

    await daemon.check(t, 'a memory hog is killed inside, and only there', async () => {
      const hog = await daemon.cli(
        ['exec', 'two', '--', 'sh', '-c', 'head -c 1G /dev/zero | tail -c 1G | wc -c'],
        {
          timeoutMs: 60_000,
        },
      );
      assert.notEqual(hog.stdout.trim(), String(1024 ** 3));
      await othersAnswer(daemon, 'two');
      assert.equal((await infoOf(daemon, 'two')).state, 'running');
    });

    await daemon.check(t, 'a fork bomb ends at the limit of processes', async () => {
      const bomb = 'i=0; while [ $i -lt 2000 ]; do sleep 60 > /dev/null 2>&1 & i=$((i+1)); done; wait';
      const running = daemon.cli(['exec', 'three', '--', 'timeout', '-s', 'KILL', '20', 'sh', '-c', bomb], {
        timeoutMs: 60_000,
      });
      await eventually(
        'the VPS is full of processes',
        async () => ((await infoOf(daemon, 'three')).usage.processes ?? 0) > 150,
        20_000,
      );
      assert.ok(((await infoOf(daemon, 'three')).usage.processes ?? 999) <= 200);
      await othersAnswer(daemon, 'three');
      await running;
      await daemon.ok(['restart', 'three', '--timeout', '5']);
    });

    await daemon.check(t, 'a full disk stops the writer at the limit', async () => {
      const fill = await daemon.cli(
        ['exec', 'four', '--', 'dd', 'if=/dev/zero', 'of=/root/fill', 'bs=1M', 'count=2000', 'conv=fsync'],
        { timeoutMs: 120_000 },
      );
      assert.notEqual(fill.code, 0);
      assert.match(fill.stderr, /quota|space/i);
      const size = Number(await daemon.inside('four', 'stat -c %s /root/fill'));
      assert.ok(size > 0.8 * 1024 ** 3 && size <= 1024 ** 3, String(size));
      await othersAnswer(daemon, 'four');
      await daemon.inside('four', 'rm /root/fill && echo fits > /root/small');
    });

    await daemon.check(t, 'a VPS cannot see the others or the host', async () => {
      assert.equal(await daemon.inside('one', 'cat /proc/[0-9]*/comm | grep -cx mullion || true'), '0');
      for (const forbidden of [
        'mknod /root/disk b 254 0',
        'echo h > /proc/sysrq-trigger',
        'echo 0 > /proc/sys/kernel/printk',
        'mount -t btrfs /dev/vda /mnt',
      ]) {
        assert.notEqual((await daemon.cli(['exec', 'one', '--', 'sh', '-c', forbidden])).code, 0, forbidden);
      }
      assert.match(await daemon.inside('one', 'cat /proc/self/uid_map'), /^\s*0\s+(?!0\b)\d+\s+65536$/);
    });

    await daemon.check(t, 'each folder, and each file with one name, has a number of its own', async () => {
      // What is changed of the image lies in the volume from then on.
      await daemon.inside('one', 'for folder in $(find /etc -xdev -type d); do : > $folder/.own; done');
      const numbers = await daemon.inside(
        'one',
        "find / -xdev \\( -type d -o -links 1 \\) -printf '%D:%i\\n'",
      );
      const lines = numbers.split('\n');
      assert.ok(lines.length > 2_000, `${lines.length} files`);
      assert.equal(new Set(lines).size, lines.length);
    });

    await checkStop(t, daemon, 'one', 1);

    await daemon.check(t, 'after deleting all, the host is as before', async () => {
      await daemon.ok(['delete', ...NAMES, '--force']);
      assert.deepEqual(await listVps(daemon), []);
      await nothingLeft(before, () => daemon.inventory());
    });
  });
}

/** The daemon and every other VPS of the five answer while one is at its limit. */
async function othersAnswer(daemon: TestDaemon, except: string): Promise<void> {
  for (const name of NAMES.filter((other) => other !== except)) {
    assert.equal(await daemon.inside(name, 'echo here', { timeoutMs: 20_000 }), 'here', name);
  }
}
