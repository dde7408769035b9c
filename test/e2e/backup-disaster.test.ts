import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { TestDaemon } from '../support/daemon.ts';
import { readDatabase, WriteLoad } from '../support/guest-database.ts';
import { LONG_FORM } from '../support/long-form.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { PLAIN } from '../support/test-image.ts';

const LONG = { timeoutMs: 600_000 };
const VPS = [
  { name: 'container', technique: 'os', more: ['--disk', '1G', ...PLAIN] },
  { name: 'machine', technique: 'full', more: ['--disk', '1G', '--memory', '384M'] },
  { name: 'kernel', technique: 'kernel', more: ['--disk', '1G', '--memory', '384M'] },
  { name: 'hardware', technique: 'hardware', more: ['--disk', '1G', '--memory', '384M'] },
] as const;

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!hasProgram('restic')) {
  test('databases survive the loss of a host', (t) => t.skip('the program restic is not installed'));
} else {
  test('databases under load survive the loss of their host', async (t) => {
    using scratch = scratchDirectory('disaster');
    const repository = join(scratch.path, 'repository');
    const keyFile = join(scratch.path, 'key');
    /** Commits that each acknowledged before its snapshot, and before its backup. */
    const atSnapshot = new Map<string, number>();
    const atBackup = new Map<string, number>();
    const ids = new Map<string, string>();
    const lost = new Set<string>();

    const loseHost = async (): Promise<void> => {
      await using daemon = await TestDaemon.start('disaster');
      await daemon.ensureQuickImage();
      await daemon.ok(['backup', 'repo', 'add', 'disk', repository]);
      writeFileSync(keyFile, await daemon.ok(['backup', 'repo', 'key', 'disk']), { mode: 0o600 });

      const techniques = await daemon.client.call('techniques.list');
      for (const { name, technique, more } of VPS) {
        const report = techniques.find(({ id }) => id === technique);
        if (report?.state !== 'healthy') {
          await t.test(`${technique}: its database survives`, (inner) => inner.skip(report?.reason));
          continue;
        }
        await daemon.check(t, `${technique}: it is backed up while its database is written to`, async () => {
          lost.add(name);
          await daemon.ok(['launch', 'quick', name, '--technique', technique, ...more], LONG);
          await daemon.answers(name);
          await daemon.inside(name, 'echo precious > /root/data; ln -s ../root/data /srv/link');
          await using load = await WriteLoad.start(daemon, name);
          atSnapshot.set(name, load.acknowledged);
          await daemon.ok(['snapshot', 'create', name, 'early'], LONG);
          const before = load.acknowledged;
          await daemon.ok(['backup', 'create', name], LONG);
          atBackup.set(name, before);
          assert.ok(load.acknowledged > before, 'it went on while it was backed up');
          const list: { id: string }[] = JSON.parse(await daemon.ok(['backup', 'list', name, '--json']));
          ids.set(name, list.at(-1)?.id ?? '');
        });
      }

      for (const { name, technique } of VPS.filter(
        (each) => lost.has(each.name) && (LONG_FORM || each.technique === 'os'),
      )) {
        await daemon.check(
          t,
          `${technique}: a copy of the snapshot lost no acknowledged commit`,
          async () => {
            await daemon.ok(['copy', `${name}/early`, 'copy', '--start'], LONG);
            await daemon.answers('copy');
            await assertWhole(t, daemon, 'copy', atSnapshot.get(name));
            await daemon.ok(['delete', 'copy', '--force'], LONG);
          },
        );
      }

      await daemon.check(t, 'full: an unchanged machine costs next to nothing the second time', async () => {
        await daemon.ok(['stop', 'machine'], LONG);
        const times: number[] = [];
        for (let count = 0; count < 2; count++) {
          const began = performance.now();
          await daemon.ok(['backup', 'create', 'machine'], LONG);
          times.push(Math.round(performance.now() - began));
        }
        t.diagnostic(`backup after a change and again without one: ${times.join(' and ')} ms`);
      });

      await daemon.check(t, 'full: one file comes back off its disk, through links', async () => {
        const to = join(scratch.path, 'file');
        const id = ids.get('machine') ?? '';
        await daemon.ok(['backup', 'restore', id, '--file', '/srv/link', '--to', to], LONG);
        assert.equal(readFileSync(to, 'utf8'), 'precious\n');
        assert.equal((await daemon.cli(['backup', 'restore', id, '--file', '/nothing', '--to', to])).code, 2);
        const volumes = (await daemon.client.call('pools.info', { params: { name: 'default' } })).volumes;
        assert.equal(volumes, lost.size);
      });

      await daemon.check(t, 'full: the backup is verified by booting it', async () => {
        await daemon.ok(['backup', 'verify', ids.get('machine') ?? ''], LONG);
        assert.equal((await daemon.client.call('vps.list')).length, lost.size);
      });
      // Killed, and then everything that it had is destroyed: pool, store, keys.
      await daemon.kill9();
    };
    await loseHost();

    await using fresh = await TestDaemon.start('disaster-fresh', { subnet: '10.99.0.0/24' });
    await fresh.ok(['backup', 'repo', 'add', 'found', repository, '--key', keyFile]);
    for (const { name, technique } of VPS.filter((each) => lost.has(each.name))) {
      await fresh.check(t, `${technique}: no acknowledged commit is lost on a new host`, async () => {
        await fresh.ok(['backup', 'restore', ids.get(name) ?? ''], LONG);
        await fresh.answers(name);
        await assertWhole(t, fresh, name, atBackup.get(name));
        assert.equal(await fresh.inside(name, 'cat /root/data'), 'precious');
      });
    }
  });
}

/** Its database is whole and has all that was promised. */
async function assertWhole(
  t: TestContext,
  daemon: TestDaemon,
  vps: string,
  promised = Number.POSITIVE_INFINITY,
): Promise<void> {
  const { integrity, count, last } = await readDatabase(daemon, vps);
  t.diagnostic(`${vps}: ${promised} commits were acknowledged before, ${last} are there`);
  assert.equal(integrity, 'ok');
  assert.ok(last >= promised, `${last} of ${promised}`);
  assert.equal(count, last);
}
