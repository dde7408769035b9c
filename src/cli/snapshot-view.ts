import type { Consistency, Snapshot } from '../contract/snapshots.ts';

/** What a snapshot is worth, in words. */
const CONSISTENCY_WORDS: Readonly<Record<Consistency, string>> = {
  clean: 'the VPS was stopped',
  'file-system': 'its file systems were at rest',
  crash: 'as after a power failure',
};

export const snapshotWords = ({ consistency, stateful }: Snapshot): string =>
  stateful ? 'as it ran, its memory included' : CONSISTENCY_WORDS[consistency];
