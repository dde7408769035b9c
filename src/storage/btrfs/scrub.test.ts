import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readScrub } from './scrub.ts';

const text = (more: string): string => `Scrub started:    Tue Nov 24 2026\nStatus: finished\n${more}`;

test('what a scrub says is read', () => {
  const report = readScrub(
    text(
      '\tdata_bytes_scrubbed: 4096\n\ttree_bytes_scrubbed: 512\n\tcsum_errors: 0\n\tuncorrectable_errors: 0\n',
    ),
  );
  assert.deepEqual(report, { read: 4608, corrected: 0, uncorrectable: 0 });
});

test('errors that were repaired are told from those that were not', () => {
  const report = readScrub(
    text(
      '\tdata_bytes_scrubbed: 1\n\ttree_bytes_scrubbed: 1\n\tcsum_errors: 3\n\tcorrected_errors: 2\n\tuncorrectable_errors: 1\n',
    ),
  );
  assert.deepEqual(report, { read: 2, corrected: 2, uncorrectable: 1 });
});

test('a copy of the superblock that was damaged counts as repaired, as it is written anew', () => {
  const report = readScrub(
    text('\tdata_bytes_scrubbed: 1\n\ttree_bytes_scrubbed: 1\n\tsuper_errors: 1\n\tcorrected_errors: 2\n'),
  );
  assert.deepEqual(report, { read: 2, corrected: 3, uncorrectable: 0 });
});
