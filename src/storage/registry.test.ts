import assert from 'node:assert/strict';
import { test } from 'node:test';
import { choosePool, type PoolFacts } from './registry.ts';

const SIZE = 1024 ** 3;
const able: PoolFacts = {
  pathIsBtrfs: false,
  loopFileExists: false,
  dirPoolExists: false,
  kernelHasBtrfs: true,
  hasMkfs: true,
};
const auto = { backend: 'auto', size: SIZE } as const;

test('a host with btrfs gets a loop file', () => {
  assert.deepEqual(choosePool(auto, able), { kind: 'loop' });
});

test('a host without btrfs, or without its tool, gets plain folders and hears why', () => {
  for (const [facts, word] of [
    [{ ...able, kernelHasBtrfs: false }, /kernel has no btrfs/],
    [{ ...able, hasMkfs: false }, /btrfs-progs/],
  ] as const) {
    const choice = choosePool(auto, facts);
    assert.equal(choice.kind, 'dir');
    assert.match(choice.kind === 'dir' ? choice.reasons.join() : '', word);
  }
});

test('a pool that is there already wins over what the host could do now', () => {
  assert.equal(choosePool(auto, { ...able, dirPoolExists: true }).kind, 'dir');
  assert.equal(choosePool(auto, { ...able, loopFileExists: true, hasMkfs: false }).kind, 'loop');
});

test('another backend than that of the present pool is refused, so that no data is hidden', () => {
  const refused = { code: 'invalid_request' };
  assert.throws(() => choosePool({ backend: 'dir', size: SIZE }, { ...able, loopFileExists: true }), refused);
  assert.throws(
    () => choosePool({ backend: 'btrfs', size: SIZE }, { ...able, dirPoolExists: true }),
    refused,
  );
});

test('a named folder is used when it is on btrfs or asked for as plain, else refused', () => {
  const path = '/srv/pool';
  assert.deepEqual(choosePool({ ...auto, path }, { ...able, pathIsBtrfs: true }), { kind: 'existing', path });
  assert.equal(choosePool({ backend: 'dir', size: SIZE, path }, able).kind, 'dir');
  assert.throws(() => choosePool({ ...auto, path }, able), {
    code: 'invalid_request',
    remedy: /folder on btrfs/,
  });
});
