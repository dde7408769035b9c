import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { renderCpio } from './cpio.ts';
import type { ArchiveEntry } from './entry.ts';
import { renderTar } from './tar.ts';

const long = `${'deep/'.repeat(22)}file`;
const ENTRIES: readonly ArchiveEntry[] = [
  { kind: 'directory', path: 'etc', mode: 0o755 },
  { kind: 'file', path: 'etc/hostname', mode: 0o644, content: Buffer.from('web\n') },
  { kind: 'file', path: 'etc/binary', mode: 0o600, content: Buffer.from([0, 255, 10, 0, 1]) },
  { kind: 'file', path: 'etc/empty', mode: 0o640, content: Buffer.alloc(0) },
  { kind: 'symlink', path: 'etc/link', target: '/run/../x y' },
];

function unpack(archive: Buffer, argv: readonly string[], check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), 'archive-'));
  try {
    const result = spawnSync(argv[0] ?? '', argv.slice(1), { cwd: folder, input: archive });
    assert.equal(result.status, 0, result.stderr.toString());
    check(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function assertUnpacked(folder: string): void {
  assert.equal(readFileSync(join(folder, 'etc/hostname'), 'utf8'), 'web\n');
  assert.deepEqual([...readFileSync(join(folder, 'etc/binary'))], [0, 255, 10, 0, 1]);
  assert.equal(statSync(join(folder, 'etc/binary')).mode & 0o7777, 0o600);
  assert.equal(statSync(join(folder, 'etc/empty')).size, 0);
  assert.equal(readlinkSync(join(folder, 'etc/link')), '/run/../x y');
}

test('tar(1) unpacks what renderTar made, with modes, binary content and links', () => {
  unpack(renderTar(ENTRIES, new Date(0)), ['tar', 'xf', '-'], assertUnpacked);
});

test('cpio(1) unpacks what renderCpio made', () => {
  unpack(renderCpio(ENTRIES), ['cpio', '--quiet', '-id'], assertUnpacked);
});

test('a path of more than 100 bytes is split for tar', () => {
  const entry: ArchiveEntry = { kind: 'file', path: long, mode: 0o644, content: Buffer.from('x') };
  unpack(renderTar([entry], new Date(0)), ['tar', 'xf', '-'], (folder) => {
    assert.equal(readFileSync(join(folder, long), 'utf8'), 'x');
  });
});

test('cpio archives end at a multiple of 4 bytes, so that another may follow', () => {
  assert.equal(renderCpio(ENTRIES).length % 4, 0);
});

test('a path that leaves the archive is refused', () => {
  for (const path of ['../x', '/etc/x', 'a//b', 'a/./b', '', 'a\0b']) {
    const entry: ArchiveEntry = { kind: 'directory', path, mode: 0o755 };
    assert.throws(() => renderTar([entry], new Date(0)), TypeError, path);
    assert.throws(() => renderCpio([entry]), TypeError, path);
  }
});
