import assert from 'node:assert/strict';
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { asMullionError } from '../../src/contract/errors.ts';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'mke2fs', 'debugfs', 'e2fsck', 'fuse2fs', 'getfattr'].filter(
  (name) => !hasProgram(name),
);
const skip = missing.length === 0 ? false : `these programs are not installed: ${missing.join(', ')}`;
const never = new AbortController().signal;

test("a virtual machine's disk becomes an image without keys, machine id and secrets", { skip }, async () => {
  using shop = await ImageShop.open();
  const tree = join(shop.path, 'tree');
  const files = {
    'etc/machine-id': `${'ab'.repeat(16)}\n`,
    'etc/ssh/ssh_host_ed25519_key': 'private',
    'etc/ssh/sshd_config': 'kept',
    'var/lib/systemd/random-seed': 'seed',
    'var/lib/mullion/user-data': 'secret',
    'root/.ssh/authorized_keys2': 'managed',
    'root/.ssh/authorized_keys': 'own',
    'var/log/syslog': 'line',
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), content);
  }
  const volume = join(shop.path, 'volume');
  mkdirSync(volume);
  const disk = join(volume, 'disk.raw');
  writeFileSync(disk, Buffer.alloc(16 * 1024 ** 2));
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', '-d', tree, disk]);
  const before = readFileSync(disk);
  const { record: base } = await shop.take(before, { name: 'base' });
  const request = { name: 'golden', origin: 'VPS web' };
  const { record } = await shop.store.publish(
    'default',
    request,
    { volume, base: base.id },
    () => undefined,
    never,
  );
  assert.deepEqual(record.parts, ['disk']);
  assert.match(record.digest, /^sha256:[0-9a-f]{64}$/);
  const made = shop.store.files(record.id).disk ?? '';
  await run(['e2fsck', '-f', '-n', made]);
  const inside = async (path: string): Promise<string> =>
    (await run(['debugfs', '-R', `cat /${path}`, made])).stdout;
  for (const path of [
    'etc/ssh/ssh_host_ed25519_key',
    'var/lib/systemd/random-seed',
    'var/lib/mullion/user-data',
  ]) {
    assert.equal(await inside(path), '', path);
  }
  assert.equal(await inside('root/.ssh/authorized_keys2'), '');
  assert.match((await run(['debugfs', '-R', 'stat /etc/machine-id', made])).stdout, /Size: 0\b/);
  for (const path of ['etc/ssh/sshd_config', 'root/.ssh/authorized_keys', 'var/log/syslog'] as const) {
    assert.equal(await inside(path), files[path], path);
  }
  assert.ok(readFileSync(disk).equals(before), 'the source is as it was');

  assert.deepEqual(record.onDemand, ['rootfs'], 'a container can be made of it');
  assert.equal(shop.store.files(record.id).rootfs, undefined, 'which is not there before it is needed');
  const ended = AbortSignal.abort(new Error('given up'));
  const outcomes = await Promise.allSettled([
    shop.store.provide(record.id, ['rootfs'], ended),
    shop.store.provide(record.id, ['rootfs'], never),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'fulfilled'],
    'one that gives up does not take the others along',
  );
  const { rootfs = '' } = shop.store.files(record.id);
  for (const path of ['etc/ssh/sshd_config', 'root/.ssh/authorized_keys', 'var/log/syslog'] as const)
    assert.equal(readFileSync(join(rootfs, path), 'utf8'), files[path], path);
  assert.equal(readFileSync(join(rootfs, 'etc/machine-id'), 'utf8'), '');
  assert.equal(existsSync(join(rootfs, 'etc/ssh/ssh_host_ed25519_key')), false);
  assert.equal(existsSync(join(rootfs, 'lost+found')), false);
  await shop.store.delete(record.id);
  await shop.store.delete(base.id);
  assert.deepEqual(shop.left(), []);
});

test('the files of a disk that its guest left in disorder are read from its journal too', {
  skip,
}, async () => {
  using shop = await ImageShop.open();
  const disk = join(shop.path, 'disk');
  writeFileSync(disk, Buffer.alloc(32 * 1024 ** 2));
  await run(['mke2fs', '-q', '-F', '-t', 'ext4', disk]);
  const place = join(shop.path, 'mounted');
  mkdirSync(place);
  await run(['mount', '-o', 'loop', disk, place]);
  let bytes: Buffer;
  try {
    const file = openSync(join(place, 'written'), 'w');
    writeSync(file, 'just before the end');
    fsyncSync(file);
    closeSync(file);
    // As a power failure would leave it: what was synced lies in the journal.
    bytes = readFileSync(disk);
  } finally {
    await run(['umount', place]);
  }
  const { record } = await shop.take(bytes, { name: 'torn' });
  await shop.store.provide(record.id, ['rootfs'], never);
  const { rootfs = '', disk: kept = '' } = shop.store.files(record.id);
  assert.equal(readFileSync(join(rootfs, 'written'), 'utf8'), 'just before the end');
  assert.ok(readFileSync(kept).equals(bytes), 'the disk itself is as it came');
  assert.deepEqual(readdirSync(join(rootfs, '..')), ['rootfs']);
});

test('a disk that only looks like a file system is refused where a container needs its files', {
  skip,
}, async () => {
  using shop = await ImageShop.open();
  const bytes = Buffer.alloc(4 * 1024 ** 2);
  bytes.write('53ef', 1080, 'hex');
  const { record } = await shop.take(bytes, { name: 'hollow' });
  assert.deepEqual([record.parts, record.onDemand], [['disk'], ['rootfs']]);
  await assert.rejects(shop.store.provide(record.id, ['rootfs'], never), (failure) => {
    const { code, message } = asMullionError(failure);
    assert.deepEqual([code, message.includes('hollow')], ['image_unfit', true], message);
    return true;
  });
  assert.equal(shop.store.files(record.id).rootfs, undefined);
  await shop.store.delete(record.id);
  assert.deepEqual(shop.left(), []);
});
