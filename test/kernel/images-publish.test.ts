import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hasProgram } from '../../src/host/programs.ts';
import { run } from '../../src/host/run.ts';
import { ImageShop } from '../support/image-shop.ts';

const missing = ['crun', 'mke2fs', 'debugfs', 'e2fsck'].filter((name) => !hasProgram(name));
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
});
