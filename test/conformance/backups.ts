import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { chown, lchown, link, open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { BackupBackend, RepositoryPlace } from '../../src/backup/backup.ts';
import { type ErrorCode, MullionError } from '../../src/contract/errors.ts';
import { runCommand } from '../support/command.ts';

export interface BackupFixture extends AsyncDisposable {
  readonly backend: BackupBackend;
  /** An empty folder of the test. */
  readonly folder: string;
  /** A place where no repository is yet. */
  place(): RepositoryPlace;
}

const signal = new AbortController().signal;
export const quietly = { onProgress: () => undefined, signal };

export const refused =
  (code: ErrorCode) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof MullionError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  };

async function command(...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await runCommand(argv);
  assert.equal(code, 0, `${argv.join(' ')}: ${stderr}`);
  return stdout;
}

/** What a VPS's layer may hold, and a disk with holes. */
async function makeTree(folder: string): Promise<void> {
  const upper = join(folder, 'upper');
  mkdirSync(join(upper, 'etc'), { recursive: true });
  mkdirSync(join(upper, 'hidden'));
  mkdirSync(join(upper, 'odd [*] näme\n'));
  writeFileSync(join(upper, 'etc/passwd'), 'root:x:0:0\n');
  await chown(join(upper, 'etc/passwd'), 12, 34);
  await link(join(upper, 'etc/passwd'), join(upper, 'etc/same'));
  symlinkSync('../nowhere', join(upper, 'etc/link'));
  await lchown(join(upper, 'etc/link'), 5, 6);
  writeFileSync(join(upper, 'set-uid'), 'x');
  chmodSync(join(upper, 'set-uid'), 0o4755);
  await command('mknod', join(upper, 'gone'), 'c', '0', '0');
  await command('mknod', join(upper, 'pipe'), 'p');
  await command('setfattr', '-n', 'trusted.overlay.opaque', '-v', 'y', join(upper, 'hidden'));
  await command('setfattr', '-n', 'user.note', '-v', 'kept', join(upper, 'etc/passwd'));
  const disk = join(folder, 'disk.raw');
  writeFileSync(disk, '', { mode: 0o600 });
  truncateSync(disk, 256 * 1024 * 1024);
  const file = await open(disk, 'r+');
  await file.write(randomBytes(1024 * 1024), 0, 1024 * 1024, 64 * 1024 * 1024);
  await file.close();
}

/** Names, kinds, owners, modes, times, links and attributes of all below a folder. */
async function describeTree(folder: string): Promise<string> {
  const format = '%P\\0%y %m %U %G %n %l %T@\\n';
  const found = await command('find', folder, '-mindepth', '1', '-printf', format);
  const attributes = await command(
    'getfattr',
    '--recursive',
    '--absolute-names',
    '--dump',
    '-h',
    '-m',
    '-',
    folder,
  );
  return [
    found.split('\n').toSorted().join('\n'),
    ...attributes.replaceAll(folder, '').split('\n\n').toSorted(),
  ].join('\n');
}

/** Every backend of backups does the same. */
export function backupConformance(name: string, create: () => Promise<BackupFixture>): void {
  describe(`backups: ${name}`, () => {
    const check = (title: string, body: (fixture: BackupFixture) => Promise<void>): void => {
      test(title, async () => {
        await using fixture = await create();
        await body(fixture);
      });
    };

    check(
      'a restored folder is as it was, down to owners, devices, attributes and holes',
      async (fixture) => {
        const { backend, folder } = fixture;
        const place = fixture.place();
        await backend.add(place, {}, signal);
        const source = join(folder, 'source');
        mkdirSync(source);
        await makeTree(source);
        const labels = { kind: 'vps', odd: 'a,b=c ü%' };
        const { saved } = await backend.save(place, { folder: source, labels, ...quietly });
        assert.deepEqual(saved.labels, labels);
        assert.deepEqual(await backend.list(place, signal), [saved]);
        const target = join(folder, 'target');
        mkdirSync(target);
        await backend.restore(place, saved.id, { target, verify: true, signal });
        assert.equal(await describeTree(join(target, 'upper')), await describeTree(join(source, 'upper')));
        assert.equal(
          await command('stat', '-c', '%i', join(target, 'upper/etc/same')),
          await command('stat', '-c', '%i', join(target, 'upper/etc/passwd')),
        );
        await command('cmp', join(source, 'disk.raw'), join(target, 'disk.raw'));
        const disk = statSync(join(target, 'disk.raw'));
        assert.equal(disk.mode & 0o7777, 0o600);
        assert.ok(disk.blocks * 512 < 4 * 1024 * 1024, `${disk.blocks} blocks`);
      },
    );

    check('a name at the top can be left out', async (fixture) => {
      const { backend, folder } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const source = join(folder, 'source');
      for (const part of ['upper', 'work']) mkdirSync(join(source, part), { recursive: true });
      writeFileSync(join(source, 'vps.json'), '{}');
      const { saved } = await backend.save(place, { folder: source, labels: { a: '1' }, ...quietly });
      const target = join(folder, 'target');
      mkdirSync(target);
      await backend.restore(place, saved.id, { target, except: ['vps.json', 'work'], signal });
      assert.equal(await command('ls', target), 'upper\n');
    });

    check('what did not change adds next to nothing, wherever it lies', async (fixture) => {
      const { backend, folder } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const source = join(folder, 'source');
      mkdirSync(source);
      await makeTree(source);
      const first = await backend.save(place, { folder: source, labels: { n: '1' }, ...quietly });
      const moved = join(folder, 'moved');
      await command('cp', '--archive', source, moved);
      const parent = first.saved.id;
      const second = await backend.save(place, { folder: moved, parent, labels: { n: '2' }, ...quietly });
      assert.equal(second.size, first.size);
      assert.ok(second.added < first.added / 10, `${second.added} after ${first.added}`);
    });

    check(
      'disks of a folder that is given away come back as they were, and are shown so',
      async (fixture) => {
        const { backend, folder } = fixture;
        const place = fixture.place();
        await backend.add(place, {}, signal);
        const source = join(folder, 'source');
        mkdirSync(source);
        await makeTree(source);
        const given = join(folder, 'given');
        mkdirSync(given);
        await command('cp', '--archive', '--sparse=always', join(source, 'disk.raw'), given);
        const disks = { names: ['disk.raw'], copiedAfter: new Date() };
        const request = { folder: given, disks, labels: { n: '1' }, ...quietly };
        const { saved } = await backend.save(place, request);
        const [shown, ...others] = await backend.entries(place, saved.id, '', signal);
        assert.deepEqual(others, []);
        assert.deepEqual([shown?.name, shown?.type, shown?.size], ['disk.raw', 'file', 256 * 1024 * 1024]);
        assert.deepEqual(await backend.look(place, saved.id, 'disk.raw', signal), shown);
        const target = join(folder, 'target');
        mkdirSync(target);
        await backend.restore(place, saved.id, { target, verify: true, signal });
        assert.equal(await command('ls', target), 'disk.raw\n');
        await command('cmp', join(source, 'disk.raw'), join(target, 'disk.raw'));
        assert.ok(statSync(join(target, 'disk.raw')).blocks * 512 < 4 * 1024 * 1024);
      },
    );

    check('one file can be looked at and read', async (fixture) => {
      const { backend, folder } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const source = join(folder, 'source');
      mkdirSync(source);
      await makeTree(source);
      const { id } = (await backend.save(place, { folder: source, labels: { n: '1' }, ...quietly })).saved;
      const look = (path: string) => backend.look(place, id, path, signal);
      assert.equal((await look('upper/etc/passwd'))?.type, 'file');
      assert.equal((await look('upper/gone'))?.type, 'whiteout');
      assert.equal((await look('upper/hidden'))?.opaque, true);
      assert.equal((await look('upper/etc'))?.opaque, false);
      assert.equal((await look('upper/etc/link'))?.target, '../nowhere');
      assert.equal(await look('upper/etc/passwd/x'), undefined);
      assert.equal(await look('upper/nothing'), undefined);
      const pieces = await (await backend.read(place, id, 'upper/etc/passwd', signal)).toArray();
      assert.equal(Buffer.concat(pieces).toString(), 'root:x:0:0\n');
      const lost = await backend.read(place, id, 'upper/nothing', signal);
      await assert.rejects(lost.toArray(), refused('not_found'));
    });

    check('a forgotten folder is gone, and what only it held is freed', async (fixture) => {
      const { backend, folder } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const [one, two] = [join(folder, 'one'), join(folder, 'two')];
      for (const path of [one, two]) {
        mkdirSync(path);
        writeFileSync(join(path, 'data'), randomBytes(8 * 1024 * 1024));
      }
      const first = (await backend.save(place, { folder: one, labels: { n: '1' }, ...quietly })).saved;
      const second = (await backend.save(place, { folder: two, labels: { n: '2' }, ...quietly })).saved;
      const before = Number((await command('du', '-sm', place.url)).split('\t')[0]);
      await backend.forget(place, [first.id], signal);
      await backend.forget(place, [first.id], signal);
      assert.deepEqual(await backend.list(place, signal), [second]);
      const after = Number((await command('du', '-sm', place.url)).split('\t')[0]);
      assert.ok(before - after >= 7, `${before} MiB before, ${after} MiB after`);
    });

    check('only the right key opens a repository, and it lies in a file of mode 0600', async (fixture) => {
      const { backend } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const key = await backend.key(place);
      assert.ok(key.length >= 40);
      const again = { id: 'ffffffffffff', url: place.url };
      await assert.rejects(backend.add(again, {}, signal), refused('already_exists'));
      await assert.rejects(backend.add(again, { key: 'not the key' }, signal), refused('forbidden'));
      assert.deepEqual(await backend.places(), [place.id]);
      await backend.add(again, { key }, signal);
      assert.equal(await backend.key(again), key);
      await backend.remove(again);
      await assert.rejects(backend.key(again), refused('not_found'));
      const elsewhere = { id: 'eeeeeeeeeeee', url: `${place.url}-nothing` };
      await assert.rejects(backend.add(elsewhere, { key }, signal), refused('repository_unreachable'));
      assert.equal(lstatSync(`${place.url}-nothing`, { throwIfNoEntry: false }), undefined);
    });

    check('a cancelled save leaves a repository that works', async (fixture) => {
      const { backend, folder } = fixture;
      const place = fixture.place();
      await backend.add(place, {}, signal);
      const source = join(folder, 'source');
      mkdirSync(source);
      writeFileSync(join(source, 'data'), randomBytes(200 * 1024 * 1024));
      const stop = new AbortController();
      const save = backend.save(place, {
        folder: source,
        labels: { n: '1' },
        signal: stop.signal,
        onProgress: () => stop.abort(new MullionError('cancelled', 'enough')),
      });
      await assert.rejects(save, refused('cancelled'));
      assert.deepEqual(await backend.list(place, signal), []);
      const { saved } = await backend.save(place, { folder: source, labels: { n: '2' }, ...quietly });
      await backend.forget(place, [saved.id], signal);
      assert.equal(readFileSync(join(source, 'data')).length, 200 * 1024 * 1024);
    });
  });
}
