import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIB } from '../../src/contract/sizes.ts';
import type { VpsInfo } from '../../src/contract/vps.ts';
import { checkVerbs } from '../e2e/verbs.ts';
import { NESTED_KINDS } from '../support/nested/kinds.ts';
import { NestedDoor } from '../support/nested/nested-door.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';

const kind = NESTED_KINDS.xen;
const MINUTES = 60_000;
/** An emulated host is this much slower than a real one. */
const PATIENCE = 10;
/** Of a boot, and of the first process of that boot: what went on has the same. */
const IDENTITY = 'cat /proc/sys/kernel/random/boot_id; cut -d" " -f22 /proc/1/stat';
/** Of the root file system, in bytes. */
const DISK_SIZE = 'df --output=size -B1 / | tail -n 1';
/** What a host holds for its VPSs: domains, links, rules, disks. */
const TRACES = `xl list | awk 'NR > 1 { print $1 }'; ip -o link | cut -d: -f2 | cut -d@ -f1 | sort
losetup --noheadings --list --output BACK-FILE | sort; nft list ruleset | grep -vE 'counter|packets'; ls /var/lib/mullion/pool 2>/dev/null`;

if (enterPrivateNetns(import.meta.url)) {
  test('on a domain 0 of Xen, VPSs of the technique para obey every verb', async (t) => {
    const unfit = await unfitForNested(kind);
    if (unfit !== undefined) return t.skip(unfit);
    await using host = await NestedHost.clone(kind);
    const info = (name: string): Promise<VpsInfo> => host.client.call('vps.info', { params: { name } });
    const state = async (name: string): Promise<string> => (await info(name)).state;
    const cli = async (...args: readonly string[]): Promise<string> => {
      const { code, stdout, stderr } = await host.cli(args);
      assert.equal(code, 0, `${args.join(' ')}: exit ${code}\n${stdout}${stderr}`);
      return stdout.trim();
    };
    const tried = async (name: string, script: string): Promise<string | undefined> => {
      const { code, stdout } = await host.cli(['exec', name, '--', 'sh', '-c', script]);
      return code === 0 ? stdout.trim() : undefined;
    };
    const inside = (name: string, script: string) => cli('exec', name, '--', 'sh', '-c', script);
    const whenUp = (name: string, before = ''): Promise<void> =>
      eventually(
        `${name} answers from another boot`,
        async () => {
          const now = await tried(name, IDENTITY);
          return now !== undefined && now !== before;
        },
        5 * MINUTES,
      );
    const whenReady = (name: string): Promise<void> =>
      eventually(`${name} is ready`, async () => (await info(name)).health === 'ready', 5 * MINUTES);
    const domains = (): Promise<string> => host.ok("xl list | awk 'NR > 2 { print $1, $3, $4 }'");

    await host.check(t, 'techniques tells the truth: para is proved by a guest that ran', async () => {
      await host.startDaemon(5 * MINUTES);
      const techniques = await host.client.call('techniques.list');
      const row = (id: string) => techniques.find((each) => each.id === id);
      assert.equal(row('para')?.state, 'healthy', JSON.stringify(row('para')));
      assert.match(
        row('para')?.evidence.join('\n') ?? '',
        /control_d[\s\S]*Xen 4\.\d+[\s\S]*a test guest said/,
      );
      assert.equal(row('os')?.state, 'healthy', JSON.stringify(row('os')));
      assert.notEqual(row('hardware')?.state, 'healthy', 'KVM does not run under Xen');
      // apt's lists count as fresh for an hour.
      await host.ok('touch /var/cache/mullion/apt/*/updated');
      await cli('image', 'build', 'debian/12');
    });
    const before = await host.ok(TRACES);

    await host.check(t, 'an ordinary image boots as a domain, beside a container', async () => {
      await cli('launch', 'debian/12', 'box', '--technique', 'os', '--memory', '128M');
      await cli('launch', 'debian/12', 'dom', '--technique', 'para', '--memory', '256M');
      await whenUp('dom');
      assert.match(await domains(), /^mullion-\S+ 25\d 1$/);
      const said = await inside('dom', 'cat /sys/hypervisor/type /proc/1/comm /etc/hostname');
      assert.equal(said, 'xen\nsystemd\ndom');
    });

    await host.check(t, 'a domain and a container reach one another by name', async () => {
      await inside('dom', 'ping -c 1 -W 20 box');
      await inside('box', 'ping -c 1 -W 20 dom');
    });

    await checkVerbs(t, new NestedDoor(host), 'dom', PATIENCE);

    await host.check(t, 'the hypervisor agrees that it is paused, and that it goes on', async () => {
      await cli('pause', 'dom');
      assert.equal(await state('dom'), 'paused');
      assert.match(await host.ok('xl list'), /mullion-\S+ .* --p--- /);
      await cli('resume', 'dom');
      assert.equal(await state('dom'), 'running');
      assert.equal(await inside('dom', 'echo back'), 'back');
    });

    await host.check(t, 'its memory is changed while it runs, and the hypervisor agrees', async () => {
      const was = await inside('dom', IDENTITY);
      await cli('set', 'dom', 'memory=320M');
      assert.deepEqual((await info('dom')).pendingRestart, []);
      assert.match(await domains(), / 3(1[6-9]|2\d) 1$/);
      assert.equal(await inside('dom', IDENTITY), was);
    });

    await host.check(t, 'its disk grows while it runs, on a pool without limits of volumes too', async () => {
      const { features } = await host.client.call('pools.info', { params: { name: 'default' } });
      assert.equal(features.quota, false, 'this host has a kernel before 6.7');
      const was = await inside('dom', IDENTITY);
      const size = async (): Promise<number> => Number(await inside('dom', DISK_SIZE));
      const before = await size();
      await cli('set', 'dom', 'disk=5G');
      assert.deepEqual((await info('dom')).pendingRestart, []);
      assert.ok((await size()) > before + GIB * 0.9, `${before} before`);
      assert.equal(await inside('dom', IDENTITY), was);
    });

    await host.check(t, 'a daemon that is killed leaves the domain alone, and finds it again', async () => {
      const was = await inside('dom', IDENTITY);
      const domain = await host.ok("xl list | awk 'NR > 2 { print $2 }'");
      await host.ok('systemctl kill --signal=KILL mullion');
      await host.whenAnswering();
      assert.equal(await host.ok("xl list | awk 'NR > 2 { print $2 }'"), domain);
      assert.equal(await state('dom'), 'running');
      assert.equal(await inside('dom', IDENTITY), was);
    });

    await host.checkInWhole(t, 'a snapshot with memory brings it back as it ran', async () => {
      const held = `${IDENTITY}; cat /run/mark /root/data; kill -0 $(cat /run/sleeper) && echo sleeps`;
      await inside(
        'dom',
        'echo held >/run/mark; echo good >/root/data; sync; sleep 100000 >/dev/null 2>&1 & echo $! >/run/sleeper',
      );
      const was = await inside('dom', held);
      assert.match(was, /held\ngood\nsleeps$/);
      const { addresses } = await info('dom');
      const first = await domains();
      await cli('snapshot', 'create', 'dom', 'mid-work', '--stateful');
      assert.match(await cli('snapshot', 'list', 'dom'), /mid-work .*kept/);
      assert.equal(await domains(), first, 'the domain goes on');
      assert.equal(await inside('dom', held), was);
      await inside('dom', 'kill $(cat /run/sleeper); rm /run/mark; echo worse >/root/data; sync');
      await cli('snapshot', 'restore', 'dom', 'mid-work');
      await whenReady('dom');
      assert.equal(await inside('dom', held), was);
      const [inDomain, onHost] = [await inside('dom', 'date +%s'), await host.ok('date +%s')];
      assert.ok(Math.abs(Number(inDomain) - Number(onHost)) < 60, `${inDomain} and ${onHost}`);
      assert.deepEqual((await info('dom')).addresses, addresses);
      await inside('dom', 'ping -c 1 -W 20 box');
      await inside('box', 'ping -c 1 -W 20 dom');
    });

    await host.checkInWhole(
      t,
      'a daemon that is killed while memory is saved leaves nothing half done',
      async () => {
        const { id } = await info('dom');
        const memory = `/var/lib/mullion/pool/volumes/${id}/memory`;
        const was = await inside('dom', `${IDENTITY}; cat /run/mark`);
        const acting = host.cli(['snapshot', 'create', 'dom', 'cut', '--stateful']);
        await host.ok(
          `until [ "$(stat -c %s ${memory} || echo 0)" -gt 1000000 ]; do sleep 0.2; done; systemctl kill --kill-whom=main --signal=KILL mullion`,
          5 * MINUTES,
        );
        await acting;
        await host.whenAnswering();
        await eventually(
          'the next daemon has finished what was under way',
          async () => (await host.client.call('tasks.list')).every(({ state }) => state !== 'running'),
          10 * MINUTES,
        );
        const { state, snapshots } = await info('dom');
        assert.equal(state, 'running');
        assert.ok(snapshots.every(({ name, stateful }) => name !== 'cut' || stateful));
        await whenReady('dom');
        assert.equal(await inside('dom', `${IDENTITY}; cat /run/mark`), was);
        assert.equal(await host.ok(`ls -d ${memory}* || true`), '');
      },
    );

    await host.checkInWhole(
      t,
      'memory that does not fit any more is told, and it boots from its disk',
      async () => {
        const was = await inside('dom', IDENTITY);
        await cli('set', 'dom', 'memory=256M');
        const { code, stdout, stderr } = await host.cli(['snapshot', 'restore', 'dom', 'mid-work']);
        assert.equal(code, 0, stderr);
        assert.match(stdout + stderr, /memory is not restored.*it had 320M of memory then, and has 256M now/);
        await whenUp('dom', was);
        assert.equal(await inside('dom', 'cat /root/data; ls /run/mark 2>/dev/null || true'), 'good');
      },
    );

    await host.checkInWhole(
      t,
      'it comes back from a reboot of its own, and from stop and start',
      async () => {
        await inside('dom', 'echo kept > /root/kept; sync');
        const first = await inside('dom', IDENTITY);
        const { addresses } = await info('dom');
        await host.cli(['exec', 'dom', '--', 'systemctl', 'reboot']);
        await whenUp('dom', first);
        await cli('stop', 'dom');
        assert.equal(await state('dom'), 'stopped');
        assert.equal(await domains(), '');
        await cli('start', 'dom');
        await whenUp('dom', first);
        assert.equal(await inside('dom', 'cat /root/kept'), 'kept');
        assert.deepEqual((await info('dom')).addresses, addresses);
      },
    );

    await host.check(t, 'a container becomes a domain, with its data and its address', async () => {
      await inside('box', 'echo mine > /root/mine; sync');
      const { addresses } = await info('box');
      const was = await inside('box', IDENTITY);
      await cli('convert', 'box', '--technique', 'para');
      await whenUp('box', was);
      assert.equal((await info('box')).technique, 'para');
      assert.equal(await inside('box', 'cat /sys/hypervisor/type /root/mine'), 'xen\nmine');
      assert.deepEqual((await info('box')).addresses, addresses);
    });

    await host.check(t, 'what is deleted leaves nothing behind', async () => {
      await cli('delete', 'dom', '--force');
      await cli('delete', 'box', '--force');
      assert.equal(await host.ok(TRACES), before);
      assert.equal(await host.ok('xenstore-ls /local/domain/0/backend | grep -c frontend || true'), '0');
    });
  });
}
