import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { GIB, MIB } from '../../src/contract/sizes.ts';
import { checkVerbs } from '../e2e/verbs.ts';
import { assertNear, read, written } from '../support/disk-rates.ts';
import { IPXE, MEMTEST, withoutForeignMedia } from '../support/foreign-media.ts';
import { installerIso } from '../support/installer-iso.ts';
import { takeApicFromQemu } from '../support/nested/apic-in-qemu.ts';
import { NESTED_KINDS } from '../support/nested/kinds.ts';
import { NestedDoor } from '../support/nested/nested-door.ts';
import { NestedHost } from '../support/nested/nested-host.ts';
import { unfitForNested } from '../support/nested/template.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually, scratchDirectory } from '../support/scratch.ts';
import { decodePng } from '../support/screen.ts';
import { Screens } from '../support/screens.ts';

const kind = NESTED_KINDS.kvm;
const MINUTES = 60_000;
/** An emulated host is this much slower than a real one. */
const PATIENCE = 10;

if (enterPrivateNetns(import.meta.url)) {
  test('a fresh server with systemd, cgroup v2 and AMD-V is set up and keeps its VPSs', async (t) => {
    const unfit = await unfitForNested(kind);
    if (unfit !== undefined) return t.skip(unfit);
    await using host = await NestedHost.clone(kind);
    const state = async (name: string): Promise<string> =>
      (await host.client.call('vps.info', { params: { name } })).state;
    const inside = async (name: string, ...argv: readonly string[]): Promise<string> => {
      const result = await host.cli(['exec', name, '--', ...argv]);
      assert.equal(result.code, 0, result.stdout + result.stderr);
      return result.stdout.trim();
    };

    await host.check(t, 'quickstart sets it up without a network, from what the server has', async () => {
      // apt's lists count as fresh for an hour.
      await host.ok('touch /var/cache/mullion/apt/*/updated');
      const quickstart = `${host.installed}/mullion quickstart --json`;
      const result = await host.exec(['/bin/sh', '-c', quickstart], { timeoutMs: 10 * MINUTES });
      assert.equal(result.code, 0, result.stdout + result.stderr);
      assert.equal(await state('first'), 'running');
    });

    await host.check(
      t,
      'the daemon is a unit that is enabled, and no guest is in its control group',
      async () => {
        assert.equal(
          await host.ok('systemctl is-enabled mullion; systemctl is-active mullion'),
          'enabled\nactive',
        );
        await eventually(
          'first runs its services',
          async () => {
            const { usage } = await host.client.call('vps.info', { params: { name: 'first' } });
            return (usage.processes ?? 0) > 3;
          },
          5 * MINUTES,
        );
        const tree = await host.ok(
          'for pid in $(cat /sys/fs/cgroup/system.slice/mullion.service/cgroup.procs); do tr "\\0" " " </proc/$pid/cmdline; echo; done; true',
        );
        assert.match(tree, /daemon run/);
        assert.doesNotMatch(tree, /\/sbin\/init|networkd|journald|qemu/, tree);
      },
    );

    await host.check(t, 'techniques tells the truth: four that run, and why the fifth does not', async () => {
      const techniques = await host.client.call('techniques.list');
      const healthy = techniques.filter((each) => each.state === 'healthy').map(({ id }) => id);
      assert.deepEqual(healthy.toSorted(), ['full', 'hardware', 'kernel', 'os'], JSON.stringify(techniques));
      const hardware = techniques.find(({ id }) => id === 'hardware');
      assert.match(hardware?.evidence.join('\n') ?? '', /svm[\s\S]*kvm_amd[\s\S]*64-bit guest ran/);
      const para = techniques.find(({ id }) => id === 'para');
      assert.match(para?.reason ?? '', /Xen/, 'it is no domain 0');
    });

    await host.check(t, "a container's disk rates hold, for writes through the page cache too", async () => {
      const door = new NestedDoor(host);
      await door.ok(['set', 'first', 'diskWriteRate=4M', 'diskReadRate=8M']);
      assertNear(await written(door, 'first', 16), 4 * MIB, 'direct writes');
      assertNear(await read(door, 'first', 16), 8 * MIB, 'reads');
      const began = performance.now();
      await door.inside('first', 'dd if=/dev/zero of=/root/data bs=1M count=32 && sync /root/data');
      assertNear((32 * MIB * 1000) / (performance.now() - began), 4 * MIB, 'writes through the page cache');
      await door.ok(['set', 'first', 'diskWriteRate=0', 'diskReadRate=0']);
    });

    await host.check(t, 'a Linux guest of technique hardware boots, obeys and ends', async () => {
      const launch = ['launch', 'debian/12', 'hard', '--technique', 'hardware', '--memory', '256M'];
      const launched = await host.cli(launch, { timeoutMs: 10 * MINUTES });
      assert.equal(launched.code, 0, launched.stdout + launched.stderr);
      await eventually(
        'the guest of technique hardware answers',
        async () => (await host.cli(['exec', 'hard', '--', 'true'])).code === 0,
        10 * MINUTES,
      );
      assert.match(await inside('hard', 'cat', '/sys/class/dmi/id/product_name'), /Q35|Standard PC/);
      const bootId = 'cat /proc/sys/kernel/random/boot_id';
      assert.notEqual(await inside('hard', 'sh', '-c', bootId), await host.ok(bootId));
      const answer = await host.ok('tr "\\0" " " </proc/$(pidof -s qemu-system-x86_64)/cmdline');
      assert.match(answer, /-accel kvm -cpu host/);
      for (const [verb, expected] of [
        ['pause', 'paused'],
        ['resume', 'running'],
      ] as const) {
        assert.equal((await host.cli([verb, 'hard'])).code, 0);
        assert.equal(await state('hard'), expected);
      }
    });

    await host.check(t, 'its disk grows while it runs, on a pool without limits of volumes too', async () => {
      const { features } = await host.client.call('pools.info', { params: { name: 'default' } });
      assert.equal(features.quota, false, 'this host has a kernel before 6.7');
      const seen = 'cat /proc/sys/kernel/random/boot_id; df --output=size -B1 / | tail -n 1';
      const [boot, before] = (await inside('hard', 'sh', '-c', seen)).split('\n');
      const set = await host.cli(['set', 'hard', 'disk=5G']);
      assert.equal(set.code, 0, set.stdout + set.stderr);
      const { pendingRestart } = await host.client.call('vps.info', { params: { name: 'hard' } });
      assert.deepEqual(pendingRestart, []);
      const [still, after] = (await inside('hard', 'sh', '-c', seen)).split('\n');
      assert.ok(Number(after) > Number(before) + GIB * 0.9, `${before} and ${after}`);
      assert.equal(still, boot);
    });

    await checkVerbs(t, new NestedDoor(host), 'hard', PATIENCE);

    await host.check(
      t,
      'guests that nobody prepared boot by their own loaders, by BIOS and UEFI',
      async (inner) => {
        const without = withoutForeignMedia();
        if (without !== false) return inner.skip(without);
        using scratch = scratchDirectory('kvm-host');
        const door = new NestedDoor(host);
        const screens = new Screens(door, scratch.path, { shownMs: 10 * MINUTES, saidMs: 10 * MINUTES });
        const launch = ['--technique', 'hardware', '--memory', '192M', '--disk', '256M'];
        await door.ok(['image', 'import', MEMTEST, 'memtest']);
        await door.ok(['launch', 'memtest', 'memtest', ...launch]);
        await screens.shows('memtest', /Memtest86\+ v[67]/);
        await door.ok(['delete', 'memtest', '--force']);
        await door.ok(['image', 'import', await installerIso(scratch.path), 'installer']);
        const roomier = ['--technique', 'hardware', '--memory', '384M', '--disk', '256M'];
        await door.ok(['launch', 'installer', 'installer', ...roomier, '--bus', 'virtio']);
        await screens.says('installer', /\[!!\] (?:Low memory|Select a language)/);
        await door.ok(['delete', 'installer', '--force']);
        await takeApicFromQemu(host);
        await door.ok(['image', 'import', IPXE, 'ipxe']);
        await door.ok(['launch', 'ipxe', 'ipxe', ...launch, '--firmware', 'uefi']);
        await screens.says('ipxe', /iPXE initialising devices/);
        const { width } = decodePng(readFileSync(await screens.picture('ipxe')));
        assert.equal(width, 1280, 'the screen that UEFI sets up');
        await door.ok(['delete', 'ipxe', '--force']);
        for (const image of ['memtest', 'installer', 'ipxe']) await door.ok(['image', 'delete', image]);
      },
    );

    await host.check(t, 'a daemon that systemd kills or restarts leaves its guests alone', async () => {
      const identity = ['cat', '/proc/sys/kernel/random/boot_id', '/proc/1/stat'];
      const started = async (name: string): Promise<string> =>
        (await inside(name, 'sh', '-c', `${identity.join(' ')} | cut -d' ' -f1-2,22`)).trim();
      const before = [await started('first'), await started('hard')];
      for (const way of ['kill --signal=KILL', 'restart']) {
        await host.ok(`systemctl ${way} mullion`);
        await host.whenAnswering();
        assert.deepEqual([await started('first'), await started('hard')], before, way);
      }
    });

    await host.checkInWhole(
      t,
      'after a reboot, what ran runs again, and what was stopped stays so',
      async () => {
        await inside('first', 'sh', '-c', 'echo kept > /root/kept');
        assert.equal((await host.cli(['stop', 'hard', '--force'])).code, 0);
        await host.reboot();
        await host.whenAnswering(5 * MINUTES);
        await eventually('first runs', async () => (await state('first')) === 'running', 5 * MINUTES);
        assert.equal(await inside('first', 'cat', '/root/kept'), 'kept');
        assert.equal(await state('hard'), 'stopped');
      },
    );
  });
}
