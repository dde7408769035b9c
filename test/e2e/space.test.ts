import assert from 'node:assert/strict';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { mountsUnder, unmount } from '../../src/host/mounts.ts';
import { run } from '../../src/host/run.ts';
import { TestDaemon } from '../support/daemon.ts';
import { ownProcesses } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';
import { infoOf, listVps, stateOf } from './verbs.ts';

const MIB = 1024 ** 2;
const GIB = 1024 * MIB;
/** Once more in small pieces: what a write that failed had reserved is free again after it. */
const FILL = [64, 1]
  .map(
    (mib) =>
      `i=0; while dd if=/dev/zero of=/root/fill${mib}-$i bs=1M count=${mib} status=none; do sync; i=$((i+1)); done; sync`,
  )
  .concat('echo ended')
  .join('; ');

if (enterPrivateNetns(import.meta.url)) {
  test('disks, names and the pool under pressure', async (t) => {
    await using daemon = await TestDaemon.start('space', { poolSize: '3G' });
    await daemon.ensureQuickImage();
    const launch = (name: string, disk: string, ...more: string[]) =>
      daemon.ok([
        'launch',
        'quick',
        name,
        ...PLAIN,
        '--technique',
        'os',
        '--memory',
        '256M',
        '--disk',
        disk,
        ...more,
      ]);
    await launch('web', '512M', '--autostart');

    await daemon.check(t, 'a disk grows and shrinks while the VPS runs, and holds', async () => {
      const write = (mib: number): string =>
        `dd if=/dev/zero of=/root/data bs=1M count=${mib} status=none && sync /root/data`;
      assert.notEqual((await daemon.cli(['exec', 'web', '--', 'sh', '-c', write(600)])).code, 0);
      await daemon.ok(['set', 'web', 'disk=1G']);
      await daemon.inside('web', write(600));
      const refused = await daemon.cli(['set', 'web', 'disk=256M']);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /6\d\d(\.\d)?M of it used/);
      await daemon.inside('web', 'rm /root/data; sync');
      await eventually(
        'it has shrunk',
        async () => (await daemon.cli(['set', 'web', 'disk=256M'])).code === 0,
        40_000,
      );
      assert.notEqual((await daemon.cli(['exec', 'web', '--', 'sh', '-c', write(300)])).code, 0);
      await daemon.inside('web', 'rm -f /root/data; sync');
      assert.equal((await infoOf(daemon, 'web')).disk, 256 * MIB);
    });

    await daemon.check(t, 'a renamed VPS is known by its new name at once, inside too', async () => {
      await launch('wiki', '256M');
      const renamed = await daemon.cli(['rename', 'wiki', 'docs']);
      assert.equal(renamed.code, 0, renamed.stderr);
      assert.match(renamed.stderr, /mullion restart docs/);
      assert.equal(await daemon.inside('docs', 'hostname; cat /etc/hostname'), 'docs\ndocs');
      const [address] = (await infoOf(daemon, 'docs')).addresses;
      assert.match(await daemon.inside('web', 'getent ahostsv4 docs'), new RegExp(address ?? '?'));
      await eventually(
        'the old name is forgotten',
        async () => (await daemon.cli(['exec', 'web', '--', 'getent', 'hosts', 'wiki'])).code !== 0,
      );
      assert.equal((await daemon.cli(['info', 'wiki'])).code, 2);
      await daemon.ok(['restart', 'docs']);
      assert.equal(await daemon.inside('docs', 'hostname'), 'docs');
      await daemon.ok(['delete', 'docs', '--force']);
    });

    await daemon.check(t, 'the pool tells who uses what, and finds its data whole', async () => {
      await daemon.inside('web', 'dd if=/dev/urandom of=/root/kept bs=1M count=40 status=none; sync');
      await daemon.ok(['snapshot', 'create', 'web', 'kept']);
      const usage = await daemon.client.call('pools.usage', { params: { name: 'default' } });
      const web = usage.find(({ kind, name }) => kind === 'vps' && name === 'web');
      assert.ok(web !== undefined && web.shared >= 40 * MIB && web.exclusive < 8 * MIB, JSON.stringify(web));
      assert.equal(web.snapshots, 1);
      assert.ok(
        usage.some(({ kind, name, used }) => kind === 'image' && name === 'quick' && used > 100 * MIB),
      );
      const kept = usage.find(({ kind, name }) => kind === 'snapshots' && name === 'web');
      assert.ok(
        kept !== undefined && kept.used >= 40 * MIB && kept.exclusive < 8 * MIB,
        JSON.stringify(kept),
      );
      assert.match(
        await daemon.ok(['pool', 'info', 'default', '--usage']),
        /vps +web +default[\s\S]*snapshots +web +default/,
      );
      assert.match(await daemon.ok(['pool', 'check', 'default'], { timeoutMs: 120_000 }), /is whole/);
      await daemon.ok(['snapshot', 'delete', 'web', 'kept']);
    });

    await daemon.check(
      t,
      'a pool that is full to the brim refuses what is new, and harms nobody',
      async () => {
        // What was deleted before comes free later, and must not do so behind the writers.
        await run(['btrfs', 'subvolume', 'sync', join(daemon.place.stateDirectory, 'pool')]);
        const { free, size } = await daemon.client.call('pools.info', { params: { name: 'default' } });
        assert.ok(size === 3 * GIB);
        await launch('hog', `${Math.floor(free / MIB) - 1}M`);
        await launch('hog2', `${Math.floor(free / MIB) - 64}M`);
        assert.match(
          (await daemon.client.call('pools.info', { params: { name: 'default' } })).warnings.join(),
          /promised/,
        );
        const hogs = await Promise.all(
          ['hog', 'hog2'].map((name) => daemon.inside(name, FILL, { timeoutMs: 240_000 })),
        );
        assert.deepEqual(hogs, ['ended', 'ended']);
        for (const argv of [
          ['snapshot', 'create', 'web'],
          ['copy', 'web', 'late'],
          ['launch', 'quick', 'late', ...PLAIN, '--technique', 'os', '--disk', '16M'],
        ]) {
          const refused = await daemon.cli(argv);
          assert.equal(refused.code, 3, `${argv.join(' ')}: ${refused.stderr}`);
          assert.match(refused.stderr, /pool/);
        }
        assert.match(
          (await daemon.client.call('pools.info', { params: { name: 'default' } })).warnings.join(),
          /full/,
        );
        assert.deepEqual(
          (await listVps(daemon)).map(({ name, state }) => [name, state]),
          [
            ['hog', 'running'],
            ['hog2', 'running'],
            ['web', 'running'],
          ],
        );
        assert.equal(await daemon.inside('web', 'sha256sum /root/kept | wc -c; echo works'), '77\nworks');
        await daemon.kill9();
        await daemon.start();
        assert.equal(await stateOf(daemon, 'web'), 'running');
        await daemon.ok(['delete', 'hog', 'hog2', '--force']);
        await eventually(
          'there is room again',
          async () => (await daemon.cli(['snapshot', 'create', 'web', 'after'])).code === 0,
          60_000,
        );
        await daemon.ok(['pool', 'check', 'default'], { timeoutMs: 120_000 });
      },
    );

    await daemon.check(t, 'after a restart of the host the marked come back', async () => {
      await launch('ran', '128M');
      await daemon.ok([
        'launch',
        'quick',
        'rested',
        ...PLAIN,
        '--technique',
        'os',
        '--disk',
        '128M',
        '--no-start',
      ]);
      await daemon.ok(['stop', 'web']);
      await daemon.kill9();
      await hostRestart(daemon);
      await daemon.start();
      await eventually(
        'they run',
        async () => {
          const states = new Map((await listVps(daemon)).map(({ name, state }) => [name, state]));
          return states.get('web') === 'running' && states.get('ran') === 'running';
        },
        30_000,
      );
      assert.equal(await stateOf(daemon, 'rested'), 'stopped');
      assert.equal(await daemon.inside('web', 'sha256sum /root/kept | wc -c'), '77');
    });
  });
}

/** Every process gone, nothing mounted, another boot: all that a restart leaves is what is on the disk. */
async function hostRestart({ folder, place }: TestDaemon): Promise<void> {
  await eventually(
    'no process is left',
    () => {
      const left = ownProcesses(place);
      for (const { pid } of left) kill(pid);
      return left.length === 0;
    },
    20_000,
  );
  for (const { target } of mountsUnder(folder).reverse()) unmount(target);
  rmSync(place.runDirectory, { recursive: true, force: true });
  // The kernel tells of one boot for as long as this machine runs: what was recorded is made another's.
  using store = new DatabaseSync(join(place.stateDirectory, 'store.db'));
  const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const earlier = '00000000-0000-4000-8000-000000000000';
  const { changes } = store.prepare('UPDATE entries SET value = replace(value, ?, ?)').run(boot, earlier);
  assert.ok(changes > 0);
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
