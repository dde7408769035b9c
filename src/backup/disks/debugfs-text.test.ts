import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseStat, quoted, targetOf } from './debugfs-text.ts';

test('a path is one word for debugfs, whatever it holds', () => {
  assert.equal(quoted('/a b'), '"/a b"');
  assert.equal(quoted('/say "hi"'), '"/say ""hi"""');
});

test('the kind of a node and the target of a link are read', () => {
  assert.equal(parseStat('/x: File not found by ext2_lookup \n'), undefined);
  const file = 'Inode: 12   Type: regular    Mode:  0644   Flags: 0x80000\nGeneration: 0\n';
  assert.deepEqual(parseStat(file), { type: 'regular', target: undefined });
  const link =
    'Inode: 14   Type: symlink    Mode:  0777   Flags: 0x0\nSize: 21\nFast link dest: "../usr/lib/os-release"\n';
  assert.deepEqual(parseStat(link), { type: 'symlink', target: '../usr/lib/os-release' });
});

test('a link leads to no place above the root', () => {
  assert.equal(targetOf('/etc/os-release', '../usr/lib/os-release'), '/usr/lib/os-release');
  assert.equal(targetOf('/x', '../../../etc/passwd'), '/etc/passwd');
  assert.equal(targetOf('/a/b', '/c'), '/c');
});
