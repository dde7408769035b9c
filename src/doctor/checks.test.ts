import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIB } from '../contract/sizes.ts';
import { fullnessWarnings } from '../storage/volume-limits.ts';
import { judgePool } from './checks.ts';

const pool = {
  backend: 'btrfs',
  path: '/var/lib/mullion/pool',
  size: 10 * GIB,
  used: GIB,
  free: 9 * GIB,
  volumes: 1,
  features: { quota: true, reflink: true, snapshots: true, grow: true },
  warnings: [],
} as const;
const GROW = 'Make it larger: mullion pool grow default SIZE';

test('a pool with room is well, and nothing is to be done', () => {
  const { state, message, remedy } = judgePool(pool);
  assert.deepEqual([state, remedy], ['ok', '']);
  assert.match(message, /9G of 10G free/);
});

test('each warning of a pool comes with its own remedy, the gravest first, and none with that of another', () => {
  const short = { message: 'The pool may still take 5G.', remedy: 'Free space in the file system of FILE' };
  const judged = judgePool({ ...pool, warnings: [short] });
  assert.deepEqual([judged.state, judged.message, judged.remedy], ['warning', short.message, short.remedy]);
  const full = { size: 10 * GIB, free: GIB / 16 };
  const both = judgePool({ ...pool, ...full, warnings: [...fullnessWarnings(full, GROW), short] });
  assert.match(both.message, /^The pool is full: 64M left/);
  assert.equal(both.remedy, `${GROW}; ${short.remedy}`);
  assert.ok(both.evidence.includes(short.message));
});

test('a pool that is nearly full is told to grow before it is', () => {
  const nearly = { size: 10 * GIB, free: 0.9 * GIB };
  const judged = judgePool({ ...pool, ...nearly, warnings: fullnessWarnings(nearly, GROW) });
  assert.match(judged.message, /nearly full/);
  assert.equal(judged.remedy, GROW);
  assert.deepEqual(fullnessWarnings({ size: 10 * GIB, free: 2 * GIB }, GROW), []);
});
