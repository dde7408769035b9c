import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAnswers, parseNames, renderRestore } from './access-lists.ts';
import { pairLinks } from './hard-links.ts';
import { parseTimes } from './times.ts';

test('access lists are found by name and set as they were', () => {
  const listed = parseNames(
    '# file: srv/deep\nsystem.posix_acl_access\nsystem.posix_acl_default\n\n# file: odd\\134name\nsystem.posix_acl_access\n',
  );
  assert.deepEqual(listed, [
    { path: 'srv/deep', name: 'system.posix_acl_access' },
    { path: 'srv/deep', name: 'system.posix_acl_default' },
  ]);
  const values = parseAnswers(
    'debugfs: ea_get -x "/srv/deep" system.posix_acl_access\nsystem.posix_acl_access = 02 00 00 00 01 00 \nsystem.posix_acl_default (4) = 02 00\n',
  );
  assert.equal(
    renderRestore(listed, values),
    '# file: srv/deep\nsystem.posix_acl_access=0x020000000100\n\n# file: srv/deep\nsystem.posix_acl_default=0x0200\n\n',
  );
});

test('times are read with their nanoseconds, whole seconds are left', () => {
  const text = [
    'debugfs: stat "/srv/old"',
    ' mtime: 0x3a7b8372:bc1cbd00 -- Sat Feb  3 04:05:06 2001',
    'debugfs: stat "/a b"',
    ' mtime: 0xffffffff:00000004 -- Wed Dec 31 23:59:59 1969',
    'debugfs: stat "/whole"',
    ' mtime: 0x3a7b8372:00000000 -- Sat Feb  3 04:05:06 2001',
    'debugfs: stat "/late"',
    ' mtime: 0x00000010:00000005 -- Thu Jan  1 00:00:16 1970',
  ].join('\n');
  assert.deepEqual(parseTimes(text), [
    { path: 'srv/old', time: '981173106.789000000' },
    { path: 'a b', time: '-1.000000001' },
    { path: 'late', time: '4294967312.000000001' },
  ]);
});

test('names of one file are found by its number', () => {
  const answer = (path: string, number: number): string =>
    `debugfs: stat "/${path}"\nInode: ${number}   Type: regular    Mode:  0644   Flags: 0x80000\nLinks: 2   Blockcount: 8\n`;
  const text = [
    answer('a', 12),
    answer('d/b c', 13),
    answer('d/e', 12),
    answer('f', 13),
    answer('g', 12),
  ].join('');
  assert.deepEqual(pairLinks(text), [
    ['a', 'd/e'],
    ['d/b c', 'f'],
    ['a', 'g'],
  ]);
});
