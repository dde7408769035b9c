import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { layOver, type TreeEntry } from '../../src/host/guest-tree.ts';
import { scratchDirectory } from '../support/scratch.ts';

const file = (path: string, text: string, mode = 0o644): TreeEntry => ({
  kind: 'file',
  path,
  mode,
  content: Buffer.from(text),
});

function trees(scratch: string): { upper: string; lower: string; outside: string } {
  const [upper, lower, outside] = ['upper', 'lower', 'outside'].map((name) => join(scratch, name));
  if (upper === undefined || lower === undefined || outside === undefined) throw new Error('unreachable');
  for (const path of [upper, lower, outside]) mkdirSync(path);
  return { upper, lower, outside };
}
const root = process.getuid?.() === 0 ? false : 'needs root: it gives files to other users';

test('a directory that only the image has keeps its mode and owner', { skip: root }, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower } = trees(scratch.path);
  mkdirSync(join(lower, 'root'));
  chmodSync(join(lower, 'root'), 0o700);
  mkdirSync(join(lower, 'var/lib'), { recursive: true });
  chownSync(join(lower, 'var/lib'), 7, 8);
  const entries = [file('root/.ssh/keys', 'k', 0o600), file('var/lib/x/y', 'y')];
  assert.deepEqual(layOver(upper, lower, entries).skipped, []);
  assert.equal(statSync(join(upper, 'root')).mode & 0o7777, 0o700);
  const { uid, gid } = statSync(join(upper, 'var/lib'));
  assert.deepEqual([uid, gid], [7, 8]);
  assert.equal(statSync(join(upper, 'var/lib/x')).mode & 0o7777, 0o755);
  assert.equal(statSync(join(upper, 'root/.ssh/keys')).mode & 0o7777, 0o600);
});

test('a link on the way is never followed, in whatever place', { skip: root }, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower, outside } = trees(scratch.path);
  writeFileSync(join(outside, 'hostname'), 'the host');
  mkdirSync(join(upper, 'b'));
  symlinkSync(outside, join(upper, 'etc'));
  symlinkSync(`../../outside`, join(upper, 'b/c'));
  symlinkSync('/proc/self/root', join(upper, 'd'));
  const entries = [
    file('etc/hostname', 'evil'),
    file('etc/new/deep', 'evil'),
    file('b/c/hostname', 'evil'),
    file('d/tmp/x', 'evil'),
    { kind: 'directory', path: 'etc', mode: 0o777 } as const,
    file('fine', 'good'),
  ];
  const { skipped } = layOver(upper, lower, entries);
  assert.deepEqual(
    skipped.map(({ path }) => path),
    ['etc/hostname', 'etc/new/deep', 'b/c/hostname', 'd/tmp/x', 'etc'],
  );
  assert.equal(readFileSync(join(outside, 'hostname'), 'utf8'), 'the host');
  assert.deepEqual(readdirSync(outside), ['hostname']);
  assert.equal(readFileSync(join(upper, 'fine'), 'utf8'), 'good');
});

test('a link, a device or a hard link in the place of a file is replaced, not written through', {
  skip: root,
}, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower, outside } = trees(scratch.path);
  writeFileSync(join(outside, 'victim'), 'safe');
  mkdirSync(join(upper, 'etc'));
  symlinkSync(join(outside, 'victim'), join(upper, 'etc/hostname'));
  symlinkSync(join(outside, 'victim'), join(upper, 'etc/.mullion-new'));
  linkSync(join(outside, 'victim'), join(upper, 'etc/hosts'));
  execFileSync('mkfifo', [join(upper, 'etc/machine-id')]);
  const entries = [
    file('etc/hostname', 'web\n'),
    file('etc/hosts', 'safe'),
    file('etc/machine-id', 'm', 0o444),
    { kind: 'symlink', path: 'etc/unit', target: '/dev/null' } as const,
  ];
  assert.deepEqual(layOver(upper, lower, entries).skipped, []);
  assert.deepEqual(layOver(upper, lower, entries).skipped, []);
  assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'safe');
  assert.equal(lstatSync(join(upper, 'etc/hostname')).isFile(), true);
  assert.equal(statSync(join(upper, 'etc/hosts')).nlink, 1);
  assert.equal(lstatSync(join(upper, 'etc/machine-id')).mode & 0o7777, 0o444);
  assert.equal(readlinkSync(join(upper, 'etc/unit')), '/dev/null');
  assert.equal(existsSync(join(upper, 'etc/.mullion-new')), false);
});

test('a directory in the place of a file is left alone and reported', { skip: root }, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower } = trees(scratch.path);
  mkdirSync(join(upper, 'etc/hostname/full'), { recursive: true });
  const { skipped } = layOver(upper, lower, [file('etc/hostname', 'web')]);
  assert.equal(skipped.length, 1);
  assert.deepEqual(readdirSync(join(upper, 'etc')), ['hostname']);
});

test('what overlayfs marked as deleted makes room', { skip: root }, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower } = trees(scratch.path);
  mkdirSync(join(lower, 'etc'));
  execFileSync('mknod', [join(upper, 'etc'), 'c', '0', '0']);
  assert.deepEqual(layOver(upper, lower, [file('etc/hostname', 'web')]).skipped, []);
  assert.equal(readFileSync(join(upper, 'etc/hostname'), 'utf8'), 'web');
});

test('a link of the image on the way is not followed into the volume', { skip: root }, () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower, outside } = trees(scratch.path);
  symlinkSync(outside, join(lower, 'etc'));
  assert.equal(layOver(upper, lower, [file('etc/hostname', 'web')]).skipped.length, 1);
  assert.deepEqual(readdirSync(outside), []);
  assert.deepEqual(readdirSync(upper), []);
});

test('a path that leaves the tree is a fault of the caller', () => {
  using scratch = scratchDirectory('guest-tree');
  const { upper, lower } = trees(scratch.path);
  for (const path of ['../x', 'a/../../x', '/etc/x', 'a//b', '.', 'a\0b']) {
    assert.throws(() => layOver(upper, lower, [file(path, 'x')]), TypeError);
  }
});
