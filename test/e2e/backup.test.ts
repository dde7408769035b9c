import assert from 'node:assert/strict';
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { makeBusyboxImage } from '../support/busybox-root.ts';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { scratchDirectory } from '../support/scratch.ts';

interface Listed {
  readonly id: string;
  readonly vps: string;
}

if (!enterPrivateNetns(import.meta.url)) {
  // The inner process has the tests.
} else if (!hasProgram('restic')) {
  test('backups of a container', (t) => t.skip('the program restic is not installed'));
} else {
  test('backups of a container', async (t) => {
    using scratch = scratchDirectory('backup-e2e');
    const repository = join(scratch.path, 'repository');
    const keyFile = join(scratch.path, 'key');
    await using daemon = await TestDaemon.start('backup');
    const folder = (name: string) => ({ name, type: '5' });
    await makeBusyboxImage(daemon, 'small', [
      { name: './etc/motd', content: 'welcome\n' },
      { name: './etc/os-release', content: 'ID=debian\n' },
      ...['./usr/', './usr/share/', './usr/share/doc/', './usr/share/doc/bash/'].map(folder),
      { name: './usr/share/doc/bash/copyright', content: 'free\n' },
    ]);
    const backups = async (): Promise<Listed[]> => JSON.parse(await daemon.ok(['backup', 'list', '--json']));
    const idOf = async (index: number): Promise<string> => (await backups()).at(index)?.id ?? '';

    await daemon.check(t, 'a repository is made, and its key is in one file of mode 0600', async () => {
      await daemon.ok(['backup', 'repo', 'add', 'disk', repository]);
      const key = (await daemon.ok(['backup', 'repo', 'key', 'disk'])).trim();
      writeFileSync(keyFile, `${key}\n`, { mode: 0o600 });
      const secrets = join(daemon.place.stateDirectory, 'backup/secrets');
      const [place = ''] = readdirSync(secrets);
      assert.equal(statSync(join(secrets, place)).mode & 0o777, 0o700);
      assert.equal(statSync(join(secrets, place, 'key')).mode & 0o777, 0o600);
      assert.equal(readFileSync(join(secrets, place, 'key'), 'utf8').trim(), key);
      const again = await daemon.cli(['backup', 'repo', 'add', 'again', repository]);
      assert.equal(again.code, 2, again.stderr);
      assert.match(again.stderr, /disk is at .* already[\s\S]*--repo disk/);
    });

    await daemon.check(t, 'a running VPS is backed up, and what did not change costs little', async () => {
      await daemon.ok(['launch', 'small', 'web', '--technique', 'os', '--disk', '256M']);
      await daemon.inside(
        'web',
        'echo precious > /root/data; chown 12:34 /root/data; rm /etc/motd; mkdir -p /opt',
      );
      await daemon.inside(
        'web',
        'rm -rf /usr/share/doc && mkdir /usr/share/doc && echo new > /usr/share/doc/new',
      );
      await daemon.ok(['backup', 'create', 'web'], { timeoutMs: 300_000 });
      const began = performance.now();
      await daemon.ok(['backup', 'create', 'web'], { timeoutMs: 300_000 });
      t.diagnostic(`second backup: ${Math.round(performance.now() - began)} ms`);
      assert.equal((await backups()).length, 2);
      assert.deepEqual((await daemon.client.call('pools.info', { params: { name: 'default' } })).volumes, 1);
    });

    await daemon.check(t, 'the key is in no argument, no environment and no log', async () => {
      const key = readFileSync(keyFile, 'utf8').trim();
      const seen = new Set<string>();
      let programs = 0;
      const watch = setInterval(() => {
        for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
          for (const file of ['cmdline', 'environ']) {
            try {
              const text = readFileSync(`/proc/${pid}/${file}`, 'utf8');
              if (file === 'cmdline' && text.startsWith('restic')) programs += 1;
              if (text.includes(key)) seen.add(`${file}: ${text}`);
            } catch {
              // It has ended.
            }
          }
        }
      }, 20);
      await daemon.ok(['backup', 'create', 'web'], { timeoutMs: 300_000 });
      clearInterval(watch);
      assert.ok(programs > 0, 'restic was seen at work');
      assert.deepEqual([...seen], []);
      assert.ok(!readFileSync(daemon.log, 'utf8').includes(key));
      assert.ok(!(await daemon.ok(['task', 'list', '--json'])).includes(key));
    });

    await daemon.check(t, 'one file comes back, as the VPS saw it', async () => {
      const id = await idOf(-1);
      const to = join(scratch.path, 'file');
      const restore = (path: string) => daemon.cli(['backup', 'restore', id, '--file', path, '--to', to]);
      assert.equal((await restore('/root/data')).code, 0);
      assert.equal(readFileSync(to, 'utf8'), 'precious\n');
      assert.equal((await restore('/etc/os-release')).code, 0);
      assert.match(readFileSync(to, 'utf8'), /ID=debian/);
      assert.equal((await restore('/usr/share/doc/new')).code, 0);
      for (const gone of ['/etc/motd', '/usr/share/doc/bash/copyright', '/nothing']) {
        const result = await restore(gone);
        assert.equal(result.code, 2, `${gone}: ${result.stderr}`);
      }
    });

    await daemon.check(t, 'a backup is verified by booting it', async () => {
      await daemon.ok(['backup', 'verify', await idOf(-1)], { timeoutMs: 300_000 });
      const vps = await daemon.client.call('vps.list');
      assert.deepEqual(
        vps.map(({ name }) => name),
        ['web'],
      );
    });

    await daemon.check(
      t,
      'a backup into a repository that has lost data does not pass for a good one',
      async () => {
        const packs = globSync(join(repository, 'data/*/*'));
        const largest = packs.reduce((one, other) =>
          statSync(one).size > statSync(other).size ? one : other,
        );
        renameSync(largest, join(scratch.path, 'lost'));
        const created = await daemon.cli(['backup', 'create', 'web', '--json'], { timeoutMs: 300_000 });
        assert.match(created.stdout, /"backup_damaged"/);
        assert.notEqual(created.code, 0);
        renameSync(join(scratch.path, 'lost'), largest);
        await daemon.ok(['backup', 'create', 'web'], { timeoutMs: 300_000 });
      },
    );

    await daemon.check(t, 'a restore under a new name is another server beside the first', async () => {
      await daemon.ok(['backup', 'restore', await idOf(-1), 'twin'], { timeoutMs: 300_000 });
      assert.equal(
        await daemon.inside('twin', 'cat /root/data; stat -c %u:%g /root/data'),
        'precious\n12:34',
      );
      assert.equal(await daemon.inside('twin', 'hostname'), 'twin');
      assert.equal(
        await daemon.inside('twin', 'ls /usr/share/doc; ls /etc/motd 2>&1 || true'),
        'new\nls: /etc/motd: No such file or directory',
      );
      const ids = await Promise.all(
        ['web', 'twin'].map((name) => daemon.inside(name, 'cat /etc/machine-id')),
      );
      assert.notEqual(ids[0], ids[1]);
      await daemon.ok(['delete', 'twin', '--force']);
    });

    await daemon.check(t, 'another host restores from the repository and its key alone', async () => {
      const before = await daemon.client.call('vps.info', { params: { name: 'web' } });
      const machineId = await daemon.inside('web', 'cat /etc/machine-id');
      const id = await idOf(-1);
      await daemon.ok(['delete', 'web', '--force']);
      await daemon.stop();
      await using other = await TestDaemon.start('backup-other');
      const without = await other.cli(['backup', 'repo', 'add', 'found', repository]);
      assert.equal(without.code, 2, without.stderr);
      assert.match(without.stderr, /--key/);
      await other.ok(['backup', 'repo', 'add', 'found', repository, '--key', keyFile]);
      assert.deepEqual(await other.client.call('images.list'), []);
      await other.ok(['backup', 'restore', id], { timeoutMs: 300_000 });
      const after = await other.client.call('vps.info', { params: { name: 'web' } });
      assert.deepEqual(
        [after.addresses[0], after.mac, after.limits],
        [before.addresses[0], before.mac, before.limits],
      );
      assert.equal(await other.inside('web', 'cat /root/data'), 'precious');
      assert.equal(await other.inside('web', 'cat /etc/machine-id'), machineId);
      await other.ok(['delete', 'web', '--force']);
      await other.stop();
      await daemon.start();
    });

    await daemon.check(t, 'deleted backups free what only they held', async () => {
      for (const { id } of await backups()) await daemon.ok(['backup', 'delete', id], { timeoutMs: 300_000 });
      assert.deepEqual(await backups(), []);
      assert.equal(readdirSync(join(repository, 'snapshots')).length, 1, 'an image of today stays');
      await daemon.ok(['backup', 'repo', 'remove', 'disk']);
      assert.ok(existsSync(join(repository, 'config')));
      assert.deepEqual(readdirSync(join(daemon.place.stateDirectory, 'backup/secrets')), []);
    });
    mkdirSync(scratch.path, { recursive: true });
    rmSync(repository, { recursive: true, force: true });
  });
}
