import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { busyboxImage } from '../support/busybox-image.ts';
import { craftTar, HONEST } from '../support/crafted-archive.ts';
import { TestDaemon } from '../support/daemon.ts';
import { ownProcesses } from '../support/inventory.ts';
import { enterPrivateNetns } from '../support/netns.ts';
import { LOGIN, REGISTRY, startRegistry } from '../support/registry.ts';
import { eventually } from '../support/scratch.ts';
import { Signer } from '../support/signer.ts';

const missing = [
  ...['skopeo', 'umoci', 'docker-registry', 'htpasswd', 'busybox'],
  ...['gpg', 'gpgconf', 'gpgv', 'qemu-img'],
].filter((name) => !hasProgram(name));
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
/** containers-policy.json(5) */
const RULES = '/etc/containers';
const REPOSITORY = `${REGISTRY}/team/app`;

if (enterPrivateNetns(import.meta.url)) {
  test('images are what those whom the host trusts have made', { skip }, async (t) => {
    await using daemon = await TestDaemon.start('image-trust', { poolSize: '4G' });
    const at = (name: string): string => join(daemon.folder, name);
    await using registry = await startRegistry(at('registry'));
    await using maker = await Signer.open(daemon.folder, 'maker');
    await using other = await Signer.open(daemon.folder, 'other');
    const pool = (): string[] => readdirSync(join(daemon.place.stateDirectory, 'pool/images'));
    const jails = (): string[] =>
      ['jails', 'oci-jails'].flatMap((name) => {
        const path = join(daemon.place.runDirectory, name);
        // crun keeps what it has compiled in its folder.
        return existsSync(path) ? readdirSync(path).filter((name) => name !== '.cache') : [];
      });
    const leavesNothing = (): void => assert.deepEqual([pool(), jails()], [[], []]);
    const login = ['--authority', registry.authority, '--username', LOGIN.user, '--password-file', '-'];
    const pull = (tag: string, ...rest: readonly string[]) =>
      daemon.cli(['image', 'import', `docker://${REPOSITORY}:${tag}`, ...login, ...rest], {
        stdin: LOGIN.password,
      });

    await daemon.check(
      t,
      'a file is checked by its signature and the keys that may have made it',
      async () => {
        const tar = craftTar(HONEST);
        writeFileSync(at('rootfs.tar'), tar);
        writeFileSync(at('disk.raw'), Buffer.alloc(8 * 1024 ** 2));
        await run(['qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', at('disk.raw'), at('disk.qcow2')]);
        writeFileSync(at('keys.asc'), await maker.keys('--armor'));
        writeFileSync(at('other.gpg'), await other.keys());
        await maker.signFile(at('rootfs.tar'));
        await maker.signFile(at('disk.qcow2'));
        const signed = (file: string, signature: string, key: string) =>
          daemon.cli(['image', 'import', at(file), 'signed', '--signature', at(signature), '--key', at(key)]);
        for (const [file, signature, key, says] of [
          ['rootfs.tar', 'rootfs.tar.sig', 'other.gpg', /by the key [0-9A-F]{16,}, which is none/],
          ['rootfs.tar', 'disk.qcow2.sig', 'keys.asc', /not that of this file/],
          ['disk.qcow2', 'rootfs.tar.sig', 'keys.asc', /not that of this file/],
          ['rootfs.tar', 'keys.asc', 'keys.asc', /no OpenPGP signature/],
        ] as const) {
          const refused = await signed(file, signature, key);
          assert.equal(refused.code, 2, refused.stderr);
          assert.match(refused.stderr, says);
          leavesNothing();
        }
        const half = await daemon.cli(['image', 'import', at('rootfs.tar'), '--key', at('keys.asc')]);
        assert.equal(half.code, 2, half.stderr);
        assert.match(half.stderr, /both --signature and --key/);
        for (const file of ['rootfs.tar', 'disk.qcow2']) {
          const taken = await signed(file, `${file}.sig`, 'keys.asc');
          assert.equal(taken.code, 0, taken.stderr);
          await daemon.ok(['image', 'delete', 'signed']);
        }
        leavesNothing();
      },
    );

    const layout = await busyboxImage(at('build'));
    await daemon.check(t, 'a registry is held to the rules of the host', async () => {
      const rules = at('rules');
      mkdirSync(join(rules, 'registries.d'), { recursive: true });
      mkdirSync(RULES, { recursive: true });
      await run(['mount', '--bind', rules, RULES]);
      const signatures = (folder: string): string =>
        `docker: {${REGISTRY}: {sigstore: "file://${folder}", sigstore-staging: "file://${folder}"}}\n`;
      writeFileSync(join(rules, 'registries.d/test.yaml'), signatures(`${RULES}/signatures`));
      mkdirSync(at('staging'));
      writeFileSync(join(at('staging'), 'test.yaml'), signatures(join(rules, 'signatures')));
      writeFileSync(join(rules, 'maker.gpg'), await maker.keys());
      await registry.push(`oci:${layout}:latest`, 'team/app:plain');
      await registry.push(
        `oci:${await busyboxImage(at('more'), ['--config.env', 'A=b'])}:latest`,
        'team/app:signed',
        {
          options: ['--registries.d', at('staging'), '--sign-by', `${maker.name}@images.test`],
          env: maker.environment,
        },
      );
      const policy = (rule: object): void =>
        writeFileSync(
          join(rules, 'policy.json'),
          JSON.stringify({ default: [{ type: 'reject' }], transports: { docker: { [REPOSITORY]: [rule] } } }),
        );
      const byMaker = { type: 'signedBy', keyType: 'GPGKeys', keyPath: `${RULES}/maker.gpg` };
      try {
        for (const [rule, tag, says] of [
          [{ type: 'reject' }, 'plain', /signature rules of this host do not allow/],
          [byMaker, 'plain', /signature rules of this host.*no signature/i],
        ] as const) {
          policy(rule);
          const refused = await pull(tag, '--json');
          assert.equal(refused.code, 2, refused.stderr);
          assert.match(refused.stdout, says);
          assert.match(refused.stdout, /"reason":"signature"/);
          leavesNothing();
        }
        const taken = await pull('signed');
        assert.equal(taken.code, 0, taken.stderr);
        writeFileSync(join(rules, 'maker.gpg'), await other.keys());
        const refused = await pull('signed', '--replace');
        assert.equal(refused.code, 2, refused.stderr);
        assert.match(refused.stderr, /signature rules of this host/);
        assert.equal(pool().length, 1, 'the one before is still there');
        policy({ type: 'insecureAcceptAnything' });
        assert.equal((await pull('plain')).code, 0);
      } finally {
        await run(['umount', RULES]);
      }
      for (const tag of ['plain', 'signed']) await daemon.ok(['image', 'delete', `app/${tag}`]);
      leavesNothing();
    });

    await daemon.check(
      t,
      'a pull that lost its daemon in the middle leaves nothing, and comes again',
      async () => {
        mkdirSync(at('noise'));
        writeFileSync(at('noise/bytes'), randomBytes(96 * 1024 ** 2));
        await run(['tar', '--create', `--file=${at('noise.tar')}`, '--directory', at('noise'), 'bytes']);
        await run(['umoci', 'raw', 'add-layer', '--image', `${layout}:latest`, at('noise.tar')]);
        await registry.push(`oci:${layout}:latest`, 'team/app:large');
        const fetched = (): number =>
          pool()
            .map((id) => join(daemon.place.stateDirectory, 'pool/images', id, '.work/out/layout'))
            .flatMap((folder) => (existsSync(folder) ? filesIn(folder) : []))
            .reduce((sum, path) => sum + (statSync(path, { throwIfNoEntry: false })?.size ?? 0), 0);
        const lost = pull('large');
        await eventually('some of it has come', () => fetched() > 1024 ** 2, 60_000);
        registry.stall();
        await daemon.kill9();
        assert.notEqual((await lost).code, 0);
        assert.notDeepEqual(pool(), []);
        await daemon.start();
        leavesNothing();
        await eventually('no program, group or mount of it is left', async () => {
          const { cgroups, mounts } = await daemon.inventory();
          return (
            [...cgroups, ...mounts].every((path) => !path.includes('jails')) &&
            ownProcesses(daemon.place).every(({ command }) => !/^skopeo/.test(command))
          );
        });
        registry.goOn();
        const again = await pull('large');
        assert.equal(again.code, 0, again.stderr);
        await daemon.ok([
          'launch',
          'app/large',
          'app',
          '--technique',
          'os',
          '--memory',
          '64M',
          '--disk',
          '256M',
        ]);
        assert.equal(await daemon.inside('app', 'stat -c %s /bytes'), String(96 * 1024 ** 2));
        await daemon.ok(['delete', 'app', '--force']);
      },
    );
  });
}

function filesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
}
