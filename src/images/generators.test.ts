import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { generator, generatorFiles } from './generators.ts';

const PROGRAMS = '/usr/lib/systemd/system-generators';
const NAMES = ['fstab', 'rc-local', 'sysv'];

/** A file system whose generators note that they were run, and what for. */
function system(t: TestContext): {
  write(path: string, mode?: number): void;
  mask(path: string): void;
  ran(): string[];
} {
  const root = mkdtempSync(join(tmpdir(), 'generators-'));
  t.after(() => rmSync(root, { recursive: true }));
  const put = (path: string, content: string, mode: number): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), mode);
  };
  for (const name of NAMES) {
    put(`${PROGRAMS}/systemd-${name}-generator`, `#!/bin/sh\necho ${name} "$@" >>${root}/ran\n`, 0o755);
  }
  put('generator', generator(root), 0o755);
  return {
    write: (path, mode = 0o644) => put(path, '', mode),
    mask: (path) => {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      symlinkSync('/dev/null', join(root, path));
    },
    ran: () => {
      writeFileSync(join(root, 'ran'), '');
      const { status, stderr } = spawnSync(join(root, 'generator'), ['n', 'e', 'l'], { encoding: 'utf8' });
      assert.equal(status, 0, stderr);
      return readFileSync(join(root, 'ran'), 'utf8').split('\n').filter(Boolean);
    },
  };
}

test("a fresh system runs none of systemd's generators that look for a user's files", (t) => {
  const { write, mask, ran } = system(t);
  assert.deepEqual(ran(), []);
  write('/etc/init.d/ssh', 0o755);
  write('/usr/lib/systemd/system/ssh.service');
  write('/etc/init.d/hwclock.sh', 0o755);
  mask('/usr/lib/systemd/system/hwclock.service');
  write('/etc/init.d/README', 0o644);
  assert.deepEqual(ran(), []);
});

test('a table of file systems, an rc.local and a start script each have their generator run, with its folders', (t) => {
  const { write, ran } = system(t);
  write('/etc/fstab');
  assert.deepEqual(ran(), ['fstab n e l']);
  write('/etc/rc.local');
  assert.deepEqual(ran(), ['fstab n e l']);
  write('/etc/rc.local', 0o755);
  write('/etc/init.d/old', 0o755);
  write('/usr/lib/systemd/system/older.service');
  assert.deepEqual(ran(), ['fstab n e l', 'rc-local n e l', 'sysv n e l']);
});

test('our generator takes the place of those that it runs', () => {
  const files = new Map(generatorFiles().map((file) => [file.path.split('/').at(-1), file]));
  for (const name of NAMES) {
    const file = files.get(`systemd-${name}-generator`);
    assert.equal(file?.kind === 'link' && file.target, '/dev/null');
  }
  assert.deepEqual(
    [...files.values()].filter(({ kind }) => kind === 'file').map(({ path }) => path),
    ['etc/systemd/system-generators/mullion-generator'],
  );
});
