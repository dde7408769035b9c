import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { INIT_SCRIPT } from './init-script.ts';

const ORDER = ['virtio.ko', 'xen-blkfront.ko', 'ext4.ko'];

/** What /init loads, with the parameters of each, where these files are and the kernel has this command line. */
function loaded(t: TestContext, cmdline: string, ...files: readonly string[]): string[] {
  const root = mkdtempSync(join(tmpdir(), 'init-'));
  t.after(() => rmSync(root, { recursive: true }));
  for (const folder of ['modules', 'sys/bus/xen', 'sys/hypervisor', 'proc']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  writeFileSync(join(root, 'modules/order'), ORDER.map((name) => `${name}\n`).join(''));
  writeFileSync(join(root, 'proc/cmdline'), `${cmdline}\n`);
  for (const file of files) writeFileSync(join(root, file), '');
  writeFileSync(join(root, 'insmod'), '#!/bin/sh\necho "$@"\n');
  chmodSync(join(root, 'insmod'), 0o755);
  const [part = ''] = /^read -r cmdline[\s\S]*?<\/modules\/order$/m.exec(INIT_SCRIPT) ?? [];
  const script = part.replaceAll(/(?<=[ <"])(?=\/(sys|proc|modules)\/)/g, root);
  const env = { PATH: `${root}:/usr/bin:/bin` };
  const { stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', env });
  assert.equal(stderr, '');
  return stdout.replaceAll(`${root}/modules/`, '').split('\n').filter(Boolean);
}

test('modules load in their order, and those of Xen on Xen alone', (t) => {
  assert.deepEqual(loaded(t, 'quiet rw'), ['virtio.ko', 'ext4.ko']);
  assert.deepEqual(loaded(t, 'quiet rw', 'sys/hypervisor/type'), ORDER);
});

test("a module gets its own parameters of the kernel's command line", (t) => {
  const cmdline = 'root=/dev/vda virtio.a=1 ext4.b=2 virtio.c=d.e virtio_net.f=3';
  assert.deepEqual(loaded(t, cmdline), ['virtio.ko a=1 c=d.e', 'ext4.ko b=2']);
});
