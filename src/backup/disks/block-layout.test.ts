import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MullionError } from '../../contract/errors.ts';
import type { SavedNode } from '../backup.ts';
import { blockName, blocksOf, diskOf, LARGEST_DISK, readLayout, sizeName } from './block-layout.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

const node = (name: string, size: number, more: Partial<SavedNode> = {}): SavedNode => ({
  ...{ name, size, type: 'file', mode: 0o640, uid: 12, gid: 34, target: '', opaque: false },
  ...more,
});
const block = (start: number, size: number): SavedNode => node(blockName({ start, end: start + size }), size);

test('data becomes blocks, and large holes lie between them', () => {
  const size = 300 * MIB + 5;
  const data = [
    { start: 0, end: 4 * KIB },
    { start: 100 * KIB, end: 200 * KIB },
    { start: 10 * MIB + 4 * KIB, end: 11 * MIB },
    { start: 300 * MIB, end: size },
  ];
  assert.deepEqual(blocksOf(data, size), [
    { start: 0, end: 256 * KIB },
    { start: 10 * MIB, end: 11 * MIB },
    { start: 300 * MIB, end: size },
  ]);
});

test('blocks end at fixed places, so that one of them is small whatever the disk is', () => {
  assert.deepEqual(blocksOf([{ start: 60 * MIB, end: 130 * MIB }], 1024 * MIB), [
    { start: 60 * MIB, end: 64 * MIB },
    { start: 64 * MIB, end: 128 * MIB },
    { start: 128 * MIB, end: 130 * MIB },
  ]);
  assert.deepEqual(blocksOf([], 1024 * MIB), []);
});

test('what was planned is read again as it was', () => {
  const size = 200 * MIB + 7;
  const blocks = blocksOf(
    [
      { start: 0, end: 70 * MIB },
      { start: size - 3, end: size },
    ],
    size,
  );
  const nodes = [
    node(sizeName(size), 0),
    ...blocks.map((range) => block(range.start, range.end - range.start)),
  ];
  assert.deepEqual(readLayout('disk.raw', nodes.toReversed()), {
    ...{ name: 'disk.raw', size, mode: 0o640, uid: 12, gid: 34 },
    blocks,
  });
});

test('a repository cannot name what is no disk', () => {
  const folder = (name: string): SavedNode => node(name, 0, { type: 'directory' });
  assert.equal(diskOf(folder('disk.raw.blocks')), 'disk.raw');
  for (const name of [
    'upper',
    '.blocks',
    '..blocks',
    '...blocks',
    'a/b.blocks',
    '../x.blocks',
    'x\0.blocks',
  ]) {
    assert.equal(diskOf(folder(name)), undefined, name);
  }
  assert.equal(diskOf(node('disk.raw.blocks', 0)), undefined);
  assert.equal(diskOf(node('disk.raw.blocks', 0, { type: 'symlink' })), undefined);
});

const about = node(sizeName(MIB), 0);
const HOSTILE: Readonly<Record<string, readonly SavedNode[]>> = {
  'no size': [block(0, 10)],
  'two sizes': [about, node(sizeName(2 * MIB), 0)],
  'a size with content': [node(sizeName(MIB), 1)],
  'a size that is a link': [node(sizeName(MIB), 0, { type: 'symlink', target: '/etc/passwd' })],
  'a size that no file can have': [node(sizeName(LARGEST_DISK + 1), 0)],
  'an owner that nobody can be': [node(sizeName(MIB), 0, { uid: 2 ** 32 - 1 })],
  'a block past the end': [about, block(MIB - 10, 11)],
  'a block far past the end': [about, block(2 * MIB, 10)],
  'a block of no size': [about, block(0, 0)],
  'a block of a size below zero': [about, block(100, -50)],
  'a block of half a byte': [about, block(0, 0.5)],
  'blocks over each other': [about, block(0, 100), block(99, 100)],
  'the same block twice': [about, block(0, 100), block(0, 100)],
  'a block that is a link': [about, { ...block(0, 10), type: 'symlink', target: '/etc/shadow' }],
  'a block that is a pipe': [about, { ...block(0, 10), type: 'other' }],
  'a block that is a folder': [about, { ...block(0, 10), type: 'directory' }],
  'a name that is no place': [about, node('../../etc/passwd', 10)],
  'a short name': [about, node('0', 10)],
  'a name with a sign': [about, node('-000000000000001', 10)],
  'a name beyond exact numbers': [about, node('9999999999999999', 10)],
};

for (const [what, nodes] of Object.entries(HOSTILE)) {
  test(`a disk of a repository is refused: ${what}`, () => {
    assert.throws(
      () => readLayout('disk.raw', nodes),
      (error) => error instanceof MullionError && error.code === 'backup_damaged',
    );
  });
}
