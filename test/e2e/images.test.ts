import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod';
import { ImageSchema } from '../../src/contract/resources.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { busyboxImage } from '../support/busybox-image.ts';
import { craftTar, HONEST } from '../support/crafted-archive.ts';
import { TestDaemon } from '../support/daemon.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { LOGIN, REGISTRY, startRegistry } from '../support/registry.ts';
import { eventually } from '../support/scratch.ts';

const missing = ['skopeo', 'umoci', 'docker-registry', 'htpasswd', 'busybox'].filter(
  (name) => !hasProgram(name),
);
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;

if (enterPrivateNetns(import.meta.url)) {
  test('images come from anywhere, run, and go anywhere', { skip }, async (t) => {
    await using daemon = await TestDaemon.start('images', { poolSize: '4G' });
    const at = (name: string): string => join(daemon.folder, name);
    await using registry = await startRegistry(at('registry'));
    const layout = await busyboxImage(at('build'));
    await registry.push(`oci:${layout}:latest`, 'team/app:1.0');
    const images = async () =>
      z.array(ImageSchema).parse(JSON.parse(await daemon.ok(['image', 'list', '--json'])));
    const pool = (): string[] => readdirSync(join(daemon.place.stateDirectory, 'pool/images'));

    await daemon.check(
      t,
      'a registry gives nothing without its login, or to who does not trust it',
      async () => {
        const source = `docker://${REGISTRY}/team/app:1.0`;
        for (const [args, says] of [
          [['--authority', registry.authority], /unauthorized|authentication/i],
          [['--username', LOGIN.user, '--password-file', '-'], /certificate|x509/i],
          [
            ['--authority', registry.authority, '--username', LOGIN.user, '--password-file', '-'],
            /unauthorized|authentication|invalid/i,
          ],
        ] as const) {
          const refused = await daemon.cli(['image', 'import', source, ...args], { stdin: 'wrong' });
          assert.equal(refused.code, 2, refused.stderr);
          assert.match(refused.stderr, says);
        }
        assert.deepEqual(pool(), []);
      },
    );

    await daemon.check(t, 'an image of a registry comes with digest, origin and entry point', async () => {
      const login = ['--authority', registry.authority, '--username', LOGIN.user, '--password-file', '-'];
      const pull = (...rest: string[]) =>
        daemon.cli(['image', 'import', `docker://${REGISTRY}/team/app:1.0`, ...login, ...rest], {
          stdin: LOGIN.password,
        });
      const wrong = await pull('wrong', '--sha256', 'a'.repeat(64));
      assert.equal(wrong.code, 2, wrong.stderr);
      const done = await pull();
      assert.equal(done.code, 0, done.stderr);
      const [image] = await images();
      assert.equal(image?.name, 'app/1.0');
      assert.equal(image.origin, `docker://${REGISTRY}/team/app:1.0`);
      assert.deepEqual([image.parts, image.onDemand], [['rootfs'], ['disk']]);
      assert.deepEqual(image.program, {
        argv: ['/bin/entry', 'hello'],
        env: { GREETING: 'from the image' },
        cwd: '/srv',
        uid: 33,
        gid: 34,
        groups: [44],
        stopSignal: 3,
      });
      const raw = await run([
        'skopeo',
        'inspect',
        '--raw',
        '--cert-dir',
        at('registry'),
        '--creds',
        `${LOGIN.user}:${LOGIN.password}`,
        `docker://${REGISTRY}/team/app:1.0`,
      ]);
      const digest = createHash('sha256').update(raw.stdout).digest('hex');
      assert.equal(image.digest, `sha256:${digest}`);
      const pinned = await pull('pinned', '--sha256', digest);
      assert.equal(pinned.code, 0, pinned.stderr);
      const log = readFileSync(daemon.log, 'utf8');
      assert.ok(!log.includes(LOGIN.password), 'the password is in no log');
      assert.equal((await pull()).code, 2, 'a name is taken once');
    });

    await daemon.check(
      t,
      'its VPS runs the entry point with its user, folder and environment, and a shell inside',
      async () => {
        await daemon.ok([
          'launch',
          'app/1.0',
          'app',
          '--technique',
          'os',
          '--memory',
          '64M',
          '--disk',
          '256M',
        ]);
        const says = await daemon.ok(['logs', 'app']);
        assert.match(says, /entry as 33:34 in \/srv with GREETING=from the image args hello/);
        assert.equal(
          await daemon.inside('app', 'cat /srv/data/second; ls /srv/data'),
          'of the second layer\nowned\nsecond',
        );
        assert.equal(await daemon.inside('app', 'stat -c %u:%g /srv/data/owned'), '33:34');
        assert.equal(await daemon.inside('app', 'echo $GREETING; id -u; hostname'), 'from the image\n0\napp');
        const shell = await daemon.cli(['exec', 'app', '--tty', '--', 'sh'], {
          stdin: 'test -t 0 && echo a-$((6 * 7))-terminal\nexit\n',
        });
        assert.match(shell.stdout, /a-42-terminal/);
        const begun = performance.now();
        await daemon.ok(['stop', 'app']);
        assert.ok(performance.now() - begun < 10_000, 'it heard the signal that its image names');
        assert.match(await daemon.ok(['logs', 'app']), /asked to end/);
      },
    );

    await daemon.check(t, 'the list says how many use it, and one in use cannot be deleted', async () => {
      assert.equal((await images()).find(({ name }) => name === 'app/1.0')?.usedBy, 1);
      const refused = await daemon.cli(['image', 'delete', 'app/1.0']);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /is used by app/);
      const machine = await daemon.cli(['launch', 'app/1.0', 'machine', '--technique', 'full']);
      assert.equal(machine.code, 2, machine.stderr);
      assert.match(machine.stderr, /lacks kernel/);
      const replaced = await daemon.cli(['image', 'import', `oci:${layout}`, 'app/1.0', '--replace']);
      assert.equal(replaced.code, 0, replaced.stderr);
      const both = pool().length;
      await daemon.ok(['delete', 'app', '--force']);
      await daemon.ok(['image', 'import', `oci:${layout}`, 'another']);
      await eventually('what nobody uses is collected', () => pool().length === both, 10_000);
    });

    await daemon.check(t, 'archives of each kind come in, and what goes out can come back', async () => {
      await run([
        'skopeo',
        '--insecure-policy',
        'copy',
        '--quiet',
        `oci:${layout}:latest`,
        `docker-archive:${at('docker.tar')}:app:1`,
      ]);
      await run([
        'skopeo',
        '--insecure-policy',
        'copy',
        '--quiet',
        `oci:${layout}:latest`,
        `oci-archive:${at('oci.tar')}`,
      ]);
      await run(['gzip', '--keep', at('docker.tar')]);
      for (const source of [
        at('docker.tar'),
        at('docker.tar.gz'),
        `oci-archive:${at('oci.tar')}`,
        at('oci.tar'),
      ]) {
        await daemon.ok(['image', 'import', source, 'archived', '--replace']);
      }
      for (const format of ['oci', 'tar', 'qcow2', 'raw']) {
        await daemon.ok(['image', 'export', 'archived', at(`out.${format}`), '--format', format]);
        assert.ok(statSync(at(`out.${format}`)).size > 100_000, format);
        await daemon.ok(['image', 'import', at(`out.${format}`), `back/${format}`]);
      }
      await run(['skopeo', 'inspect', `oci-archive:${at('out.oci')}`]);
      const back = new Map((await images()).map((image) => [image.name, image]));
      assert.deepEqual(back.get('back/oci')?.program, back.get('archived')?.program);
      assert.deepEqual(
        ['oci', 'tar', 'qcow2', 'raw'].map((format) => back.get(`back/${format}`)?.parts.join()),
        ['rootfs', 'rootfs', 'disk', 'disk'],
      );
      assert.ok(!readdirSync(daemon.folder).some((name) => name.includes('.part-')));
    });

    await daemon.check(t, 'a VPS and its snapshot become images without its identity', async () => {
      await daemon.ok([
        'launch',
        'archived',
        'source',
        '--technique',
        'os',
        '--memory',
        '64M',
        '--disk',
        '256M',
      ]);
      await daemon.inside('source', 'echo one > /srv/state; rm /srv/data/second; mkdir -p /etc/ssh /var/log');
      await daemon.inside('source', 'echo key > /etc/ssh/ssh_host_ed25519_key; echo log > /var/log/app');
      await daemon.ok(['snapshot', 'create', 'source', 'before']);
      await daemon.inside('source', 'echo two > /srv/state; chown 33:34 /srv/state');
      await daemon.ok(['image', 'publish', 'source', 'golden/now']);
      await daemon.ok(['image', 'publish', 'source/before', 'golden/before']);
      assert.equal((await daemon.cli(['image', 'publish', 'source', 'golden/now'])).code, 2);
      assert.equal((await daemon.cli(['image', 'publish', 'source/never', 'x'])).code, 2);
      const id = await daemon.inside('source', 'cat /etc/machine-id');
      for (const [image, state] of [
        ['golden/now', 'two 33'],
        ['golden/before', 'one 0'],
      ] as const) {
        const name = `from-${image.slice(7)}`;
        await daemon.ok(['launch', image, name, '--technique', 'os', '--memory', '64M', '--disk', '256M']);
        const look =
          'echo $(cat /srv/state) $(stat -c %u /srv/state); ls /srv/data /etc/ssh; cat /var/log/app';
        assert.equal(await daemon.inside(name, look), `${state}\n/etc/ssh:\n\n/srv/data:\nowned\nlog`);
        assert.notEqual(await daemon.inside(name, 'cat /etc/machine-id'), id);
        assert.match(await daemon.ok(['logs', name]), /entry as 33:34 in \/srv/);
      }
      assert.equal(
        (await images()).find(({ name }) => name === 'golden/before')?.origin,
        'VPS source, snapshot before',
      );
      assert.equal(await daemon.inside('source', 'cat /srv/state'), 'two', 'the VPS itself went on');
      await daemon.ok(['delete', 'source', 'from-now', 'from-before', '--force']);
    });

    await daemon.check(t, 'a hostile file is refused with exit code 2 and leaves nothing', async () => {
      const before = pool();
      writeFileSync(at('evil.tar'), craftTar([...HONEST, { name: '../../escaped\u001b[31m', content: 'x' }]));
      const refused = await daemon.cli(['image', 'import', at('evil.tar'), 'evil']);
      assert.equal(refused.code, 2, refused.stderr);
      assert.match(refused.stderr, /control characters/);
      assert.doesNotMatch(refused.stderr, /\u001b\[31m/);
      const sum = await daemon.cli(['image', 'import', at('out.tar'), 'evil', '--sha256', 'b'.repeat(64)]);
      assert.equal(sum.code, 2);
      const json = await daemon.cli(['image', 'import', at('evil.tar'), 'evil', '--json']);
      assert.match(json.stdout, /"code":"image_refused"/);
      const nothing = await daemon.cli(['image', 'import', at('no-such-file'), 'evil']);
      assert.equal(nothing.code, 2);
      assert.deepEqual(pool(), before);
      assert.ok(!existsSync(at('escaped')));
    });
  });
}
