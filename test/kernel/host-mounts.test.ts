import assert from 'node:assert/strict';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { cloneMount, mount, mountOverlay, mountsUnder, unmount } from '../../src/host/mounts.ts';
import { run } from '../../src/host/run.ts';
import { UserNamespaces } from '../../src/host/user-namespaces.ts';
import { scratchDirectory } from '../support/scratch.ts';

const BASE = 0x7000_0000;
const COUNT = 65_536;

function folders(root: string, ...names: string[]): string[] {
  return names.map((name) => {
    const path = join(root, name);
    mkdirSync(path, { recursive: true });
    return path;
  });
}

test('an overlay of idmapped layers is writable from inside and keeps ids 0 and up on disk', async () => {
  using scratch = scratchDirectory('mounts');
  const [base = '', volume = '', shownBase = '', shownVolume = '', merged = ''] = folders(
    scratch.path,
    'base',
    'volume',
    'shown-base',
    'shown-volume',
    'merged',
  );
  folders(volume, 'upper', 'work');
  chmodSync(scratch.path, 0o755);
  writeFileSync(join(base, 'from-base'), 'base\n');
  const namespaces = new UserNamespaces();
  try {
    const userNamespace = await namespaces.acquire(BASE, COUNT);
    cloneMount(base, shownBase, { userNamespace, readOnly: true });
    cloneMount(volume, shownVolume, { userNamespace });
    mountOverlay(merged, {
      lower: [shownBase],
      upper: join(shownVolume, 'upper'),
      work: join(shownVolume, 'work'),
    });
    assert.equal(statSync(join(merged, 'from-base')).uid, BASE);
    await run([
      'chroot',
      '--userspec',
      `${BASE}:${BASE}`,
      '/',
      'sh',
      '-c',
      'echo new > "$0"; echo more >> "$1"',
      join(merged, 'made'),
      join(merged, 'from-base'),
    ]);
    assert.equal(statSync(join(merged, 'made')).uid, BASE);
    assert.equal(statSync(join(volume, 'upper/made')).uid, 0);
    assert.equal(readFileSync(join(volume, 'upper/from-base'), 'utf8'), 'base\nmore\n');
    assert.equal(readFileSync(join(base, 'from-base'), 'utf8'), 'base\n');
    assert.throws(() => writeFileSync(join(shownBase, 'x'), ''), { code: 'EROFS' });
  } finally {
    for (const target of [merged, shownVolume, shownBase]) unmount(target);
    namespaces.close();
  }
  assert.deepEqual(mountsUnder(scratch.path), []);
});

test('an overlay that the kernel would make read-only is an error and leaves no mount', async () => {
  using scratch = scratchDirectory('mounts');
  const [base = '', volume = '', shown = '', merged = ''] = folders(
    scratch.path,
    'base',
    'volume',
    'shown',
    'merged',
  );
  folders(volume, 'upper', 'work');
  try {
    cloneMount(volume, shown, { readOnly: true });
    assert.throws(() =>
      mountOverlay(merged, { lower: [base], upper: join(shown, 'upper'), work: join(shown, 'work') }),
    );
    assert.deepEqual(mountsUnder(merged), []);
  } finally {
    unmount(merged);
    unmount(shown);
  }
});

test('layers whose paths hold commas, colons, backslashes and spaces are mounted', () => {
  using scratch = scratchDirectory('mounts');
  const [root = ''] = folders(scratch.path, 'a,b:c\\d e');
  const [lower = '', second = '', upper = '', work = '', merged = ''] = folders(
    root,
    'l',
    's',
    'u',
    'w',
    'm',
  );
  writeFileSync(join(lower, 'one'), '1');
  writeFileSync(join(second, 'two'), '2');
  try {
    mountOverlay(merged, { lower: [lower, second], upper, work });
    assert.deepEqual(readdirSync(merged).sort(), ['one', 'two']);
    assert.deepEqual(
      mountsUnder(root).map(({ target, fstype }) => ({ target, fstype })),
      [{ target: merged, fstype: 'overlay' }],
    );
  } finally {
    unmount(merged);
  }
});

test('unmount takes every layer away, is safe to repeat, and detaches what is busy', () => {
  using scratch = scratchDirectory('mounts');
  mount('tmpfs', scratch.path, 'tmpfs');
  mount('tmpfs', scratch.path, 'tmpfs');
  writeFileSync(join(scratch.path, 'open'), 'x');
  const fd = openSync(join(scratch.path, 'open'), 'r');
  try {
    assert.equal(mountsUnder(scratch.path).length, 2);
    unmount(scratch.path);
    unmount(scratch.path);
    unmount(join(scratch.path, 'absent'));
    assert.deepEqual(mountsUnder(scratch.path), []);
  } finally {
    closeSync(fd);
  }
});

test('mountsUnder takes no neighbour whose name only begins alike', () => {
  using scratch = scratchDirectory('mounts');
  const [one = '', other = ''] = folders(scratch.path, 'pool', 'pool-2');
  try {
    mount('tmpfs', other, 'tmpfs');
    assert.deepEqual(mountsUnder(one), []);
  } finally {
    unmount(other);
  }
});

test('a failing mount names the call, the subject and the errno', () => {
  assert.throws(() => mount('none', '/nonexistent/target', 'tmpfs'), {
    name: 'SystemError',
    code: 'ENOENT',
    message: /mount tmpfs on \/nonexistent\/target: ENOENT/,
  });
});
