import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLogger } from '../../src/core/logger.ts';
import { run } from '../../src/host/run.ts';
import { openImageStore } from '../../src/images/local-image-store.ts';
import { DirPool } from '../../src/storage/dir/dir-pool.ts';
import { jailsIn } from '../support/jails.ts';
import { scratchDirectory } from '../support/scratch.ts';
import { CACHE } from '../support/test-image.ts';

const ignore = (): void => undefined;
const never = new AbortController().signal;

async function storeIn(
  folder: string,
  cacheDirectory = CACHE,
): Promise<Awaited<ReturnType<typeof openImageStore>>> {
  const pool = new DirPool(join(folder, 'pool'), 'test', join(folder, 'lock'));
  await pool.open();
  return openImageStore({ pool, cacheDirectory, logger: silentLogger, jails: jailsIn(folder) });
}

test('debian/12 is built with all parts, found by every project, kept over a restart, and deleted', async () => {
  using scratch = scratchDirectory('images');
  const store = await storeIn(scratch.path);
  const steps = new Set<string>();
  const record = await store.build(
    'default',
    { name: 'debian/12', include: [] },
    ({ step }) => void steps.add(step),
    never,
  );
  assert.ok(steps.has('copy into the pool'), [...steps].join());
  assert.deepEqual(record.parts, ['rootfs', 'disk', 'kernel']);
  assert.match(record.digest, /^sha256:[0-9a-f]{64}$/);

  const { rootfs = '', disk = '', kernel } = store.files(record.id);
  assert.match(readFileSync(join(rootfs, 'etc/debian_version'), 'utf8'), /^12\./);
  assert.equal(readFileSync(join(rootfs, 'etc/machine-id'), 'utf8'), '');
  assert.equal(statSync(join(rootfs, 'usr/bin/su')).mode & 0o7777, 0o4755, 'set-uid bits are kept');
  assert.match(readFileSync(join(rootfs, 'etc/shadow'), 'utf8'), /^root:\*:/m, 'root has no password');
  const keys = (await run(['find', join(rootfs, 'etc/ssh'), '-name', 'ssh_host_*'])).stdout;
  assert.equal(keys, '', 'no SSH host key is shared');
  assert.equal(statSync(disk).size, record.minimumDisk);
  await run(['e2fsck', '-f', '-n', disk]);
  assert.match((await run(['e2label', disk])).stdout, /^mullion-root$/m);
  assert.ok(kernel !== undefined && statSync(kernel.initramfs).size < 8 * 2 ** 20);
  const listing = await run(['cpio', '--list', '--quiet', `--file=${kernel.initramfs}`]);
  assert.match(listing.stdout, /^init$/m);
  assert.match(listing.stdout, /^modules\/virtio_blk\.ko$/m);

  assert.equal(store.find('elsewhere', 'debian/12')?.id, record.id);
  const again = await store.build('default', { name: 'debian/12', include: [] }, ignore, never);
  assert.equal(again.id, record.id, 'the same build is the same image');
  const own = await store.build('shop', { name: 'debian/12', include: [] }, ignore, never);
  assert.equal(store.find('shop', 'debian/12')?.id, own.id, "a project's own image comes first");

  const reopened = await storeIn(scratch.path);
  assert.deepEqual(reopened.list(), store.list());
  await reopened.delete(own.id);
  await reopened.delete(record.id);
  assert.deepEqual(reopened.list(), []);
  assert.throws(() => reopened.files(record.id), { code: 'not_found' });
});

test('a package that does not exist is named and leaves nothing behind', async () => {
  using scratch = scratchDirectory('images');
  const store = await storeIn(scratch.path);
  const build = store.build(
    'default',
    { name: 'x', suite: 'bookworm', include: ['no-such-thing'] },
    ignore,
    never,
  );
  await assert.rejects(build, { code: 'build_failed', message: /no-such-thing/, remedy: /package name/ });
  assert.deepEqual(store.list(), []);
});

test('what an unfinished copy left in the pool is gone after opening', async () => {
  using scratch = scratchDirectory('images');
  await storeIn(scratch.path);
  const pool = new DirPool(join(scratch.path, 'pool'), 'test', join(scratch.path, 'lock'));
  await pool.stageImage('image-half');
  await storeIn(scratch.path);
  assert.deepEqual(await pool.listImages(), []);
});
