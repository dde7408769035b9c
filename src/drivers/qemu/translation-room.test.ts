import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MIB } from '../../contract/sizes.ts';
import { hasRoom, parseTranslatedCode, regionsOf } from './translation-room.ts';

const CAPACITY = 64 * MIB;

test('the size of translated code is read with and without separators; anything else is not', () => {
  const text = 'Translation buffer state:\ngen code size       65097747/67026944\nTB count  31415\n';
  assert.deepEqual(parseTranslatedCode(text), { used: 65_097_747, capacity: 67_026_944 });
  assert.deepEqual(parseTranslatedCode('gen code size  1,024/2,048'), { used: 1024, capacity: 2048 });
  assert.equal(parseTranslatedCode('JIT information is only available with accel=tcg'), undefined);
});

test('the cache has regions of two megabytes or more, at most eight for each processor, at least one', () => {
  assert.equal(regionsOf(CAPACITY, 1), 1);
  assert.equal(regionsOf(CAPACITY, 2), 16);
  assert.equal(regionsOf(CAPACITY, 8), 32);
  assert.equal(regionsOf(CAPACITY, 64), 64);
});

test('a processor finds room until all regions but one are begun', () => {
  const used = (regions: number) => ({ used: regions * 4 * MIB, capacity: CAPACITY });
  assert.equal(hasRoom(used(0.5), 16, 1), true);
  assert.equal(hasRoom(used(13.5), 16, 1), true);
  // QEMU takes a little less for a full region than its share.
  assert.equal(hasRoom(used(13.995), 16, 1), false);
  assert.equal(hasRoom(used(15.5), 16, 1), false);
  assert.equal(hasRoom(used(11.5), 16, 4), false);
});

test('the last of as many processors as there are regions finds the one that is left', () => {
  assert.equal(hasRoom({ used: 0, capacity: CAPACITY }, 64, 63), true);
  assert.equal(hasRoom({ used: 0, capacity: CAPACITY }, 64, 64), false);
});
