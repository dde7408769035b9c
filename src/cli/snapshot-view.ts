import type { Consistency } from '../contract/snapshots.ts';

/** What a snapshot is worth, in words. */
export const CONSISTENCY_WORDS: Readonly<Record<Consistency, string>> = {
  clean: 'the VPS was stopped',
  'file-system': 'its file systems were at rest',
  crash: 'as after a power failure',
};
