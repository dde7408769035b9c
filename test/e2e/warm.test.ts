import assert from 'node:assert/strict';
import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { test } from 'node:test';
import { cgroupRoot, createNaming } from '../../src/core/naming.ts';
import { TestDaemon } from '../support/daemon.ts';
import { leftBehind } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { eventually } from '../support/scratch.ts';
import { infoOf } from './verbs.ts';

const SIZE = ['--technique', 'full', '--memory', '256M', '--disk', '1G', '--warm'];
const LAUNCH = { timeoutMs: 300_000 };

/** Ends of the builds of templates so far. */
const builds = async (daemon: TestDaemon, project = 'default'): Promise<string[]> =>
  (await daemon.client.call('tasks.list', { query: { project } }))
    .filter(({ kind, state }) => kind === 'template.build' && state !== 'running')
    .map(({ state }) => state);

/** Pids of the QEMU that is this machine of this daemon. */
function processesOf({ place }: TestDaemon, name: string): string[] {
  const root = cgroupRoot(createNaming(place.stateDirectory, place.runDirectory));
  return readdirSync('/proc').filter((pid) => {
    try {
      return (
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(`\0guest=${name},`) &&
        readFileSync(`/proc/${pid}/cgroup`, 'utf8').includes(`/${root}/`)
      );
    } catch {
      return false;
    }
  });
}

const PAGE = 4096;

/** Physical pages that the guest's memory of this machine lies in (Linux, Documentation/admin-guide/mm/pagemap). */
function pagesOf(daemon: TestDaemon, name: string): Set<bigint> {
  const frames = new Set<bigint>();
  for (const pid of processesOf(daemon, name)) {
    const pagemap = openSync(`/proc/${pid}/pagemap`, 'r');
    try {
      const maps = readFileSync(`/proc/${pid}/maps`, 'utf8');
      for (const [, from, to] of maps.matchAll(/^(\w+)-(\w+) .*memory\.ram/gm)) {
        const [first, last] = [parseInt(from ?? '', 16) / PAGE, parseInt(to ?? '', 16) / PAGE];
        const entries = Buffer.alloc((last - first) * 8);
        readSync(pagemap, entries, 0, entries.length, first * 8);
        for (let offset = 0; offset < entries.length; offset += 8) {
          const entry = entries.readBigUInt64LE(offset);
          const frame = entry & ((1n << 55n) - 1n);
          if (entry >> 63n === 1n && frame !== 0n) frames.add(frame);
        }
      }
    } finally {
      closeSync(pagemap);
    }
  }
  return frames;
}

if (enterPrivateNetns(import.meta.url)) {
  test('VPSs start from the memory of one that has booted', async (t) => {
    await using daemon = await TestDaemon.start('warm');
    await daemon.ensureImage();
    const before = await daemon.inventory();

    await daemon.check(t, 'the first boots, and a template is made behind it', async () => {
      const first = await daemon.cli(['launch', 'debian/12', 'cold', ...SIZE], LAUNCH);
      assert.equal(first.code, 0, first.stderr);
      assert.match(first.stderr, /no memory template/);
      // It has told what it is here for; the template boots beside it, on the same processors.
      await daemon.ok(['delete', 'cold', '--force'], LAUNCH);
      await eventually('the template is made', async () => (await builds(daemon)).length > 0, 300_000);
      assert.deepEqual(await builds(daemon), ['done']);
    });

    await daemon.check(t, 'two launched at once run at once, each as itself', async () => {
      const began = performance.now();
      await Promise.all(
        ['one', 'two'].map((name) => daemon.ok(['launch', 'debian/12', name, ...SIZE], LAUNCH)),
      );
      t.diagnostic(`two warm starts at once: ${Math.round(performance.now() - began)} ms`);
      const random = 'head -c 32 /dev/urandom | od -An -tx1; cat /proc/sys/kernel/random/uuid';
      const linked = 'until [ -e /sys/class/net/eth0 ]; do sleep 0.1; done';
      const own = `${linked}; ${random}; cat /etc/machine-id /proc/sys/kernel/random/boot_id /sys/class/net/eth0/address; hostname`;
      const [one, two] = await Promise.all(
        ['one', 'two'].map(async (name) => (await daemon.inside(name, own, LAUNCH)).split('\n')),
      );
      assert.equal(one?.length, 7);
      for (const [index, line] of (one ?? []).entries()) assert.notEqual(line, two?.[index], `line ${index}`);
      assert.equal(one?.at(-1), 'one');
      const clock = Number(await daemon.inside('one', 'date +%s'));
      assert.ok(Math.abs(clock - Date.now() / 1000) < 60, String(clock));
    });

    await daemon.check(t, 'they have host keys, addresses and a network of their own', async () => {
      const key = 'cat /etc/ssh/ssh_host_ed25519_key.pub && systemctl is-active ssh';
      for (const name of ['one', 'two']) {
        await eventually(
          `${name} has a key, and serves with it`,
          async () => (await daemon.cli(['exec', name, '--', 'sh', '-c', key], LAUNCH)).code === 0,
          120_000,
        );
        const [address] = (await infoOf(daemon, name)).addresses;
        await eventually(
          `${name} has its address`,
          async () =>
            (await daemon.inside(name, 'ip -4 -o address show eth0', LAUNCH)).includes(address ?? '?'),
          60_000,
        );
      }
      assert.notEqual(await daemon.inside('one', key, LAUNCH), await daemon.inside('two', key, LAUNCH));
      assert.match(await daemon.inside('one', 'getent ahostsv4 two', LAUNCH), /\d+\.\d+\.\d+\.\d+/);
      assert.equal(await daemon.inside('one', 'systemctl --failed --no-legend', LAUNCH), '');
    });

    await daemon.check(t, 'no page of memory is shared between them', async (inner) => {
      const [one, two] = [pagesOf(daemon, 'one'), pagesOf(daemon, 'two')];
      if (one.size === 0) return inner.skip('this kernel does not tell physical pages (/proc/PID/pagemap)');
      inner.diagnostic(`${one.size} and ${two.size} pages`);
      assert.ok(two.size > 1000);
      assert.deepEqual(
        [...one].filter((page) => two.has(page)),
        [],
      );
    });

    await daemon.check(t, 'another project boots its own', async () => {
      await daemon.ok(['project', 'create', 'other']);
      await daemon.ensureQuickImage();
      const launch = ['launch', 'quick', 'strange', '--project', 'other', ...SIZE];
      assert.match((await daemon.cli(launch, LAUNCH)).stderr, /no memory template/);
      await daemon.ok(['delete', 'strange', '--project', 'other', '--force'], LAUNCH);
    });

    await daemon.check(
      t,
      'a daemon that is killed while it makes a template leaves nothing of it',
      async () => {
        await eventually('it is being made', async () => processesOf(daemon, 'template').length > 0, 120_000);
        await daemon.kill9();
        await daemon.start();
        await eventually('it is gone', async () => processesOf(daemon, 'template').length === 0, 60_000);
        await daemon.ok(['project', 'delete', 'other'], LAUNCH);
        const volumes = await daemon.client.call('pools.info', { params: { name: 'default' } });
        assert.equal(volumes.volumes, 3);
        assert.equal(await daemon.inside('one', 'hostname', LAUNCH), 'one');
      },
    );

    await daemon.check(t, 'it takes a restart, which boots it from its disk', async () => {
      await daemon.ok(['restart', 'two'], LAUNCH);
      await daemon.answers('two');
      assert.equal(await daemon.inside('two', 'hostname', LAUNCH), 'two');
    });

    await daemon.check(t, 'after all is deleted, the host is as before', async () => {
      await daemon.ok(['delete', 'one', 'two', '--force'], LAUNCH);
      const { processes: _processes, ...left } = leftBehind(before, await daemon.inventory());
      // The template stays for the next, until the image goes.
      assert.deepEqual(Object.keys(left), ['subvolumes']);
      await daemon.ok(['image', 'delete', 'debian/12'], LAUNCH);
      await eventually(
        'it is gone',
        async () => (await daemon.client.call('pools.info', { params: { name: 'default' } })).volumes === 0,
        30_000,
      );
    });
  });
}
