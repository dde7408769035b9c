import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import type { Jails } from '../../host/jail/jails.ts';
import { run } from '../../host/run.ts';
import { PARTS } from '../artifact.ts';

const COPY_MS = 1_800_000;
/** ext4, "The Super Block": where it lies, and in it the state and the incompatible features. */
const SUPERBLOCK = 1024;
const STATE = 0x3a;
const INCOMPATIBLE = 0x60;
const CLEAN = 0x1;
const WITH_ERRORS = 0x2;
const NEEDS_RECOVERY = 0x4;

/** What a guest that did not end in good order has written is partly in the journal, which a reader leaves alone. */
export async function isUnclean(disk: string): Promise<boolean> {
  const file = await open(disk, 'r');
  try {
    const block = Buffer.alloc(1024);
    await file.read(block, 0, block.length, SUPERBLOCK);
    const state = block.readUInt16LE(STATE);
    const recovery = (block.readUInt32LE(INCOMPATIBLE) & NEEDS_RECOVERY) !== 0;
    return recovery || (state & CLEAN) === 0 || (state & WITH_ERRORS) !== 0;
  } finally {
    await file.close();
  }
}

/**
 * Copies a disk into the new folder `place` and brings it into order, in a jail; where the pool shares data, the copy costs
 * nothing. False when its file system is beyond that.
 */
export async function makeCleanCopy(
  jails: Jails,
  disk: string,
  place: string,
  signal: AbortSignal,
): Promise<boolean> {
  await mkdir(place, { mode: 0o700 });
  const argv = ['cp', '--reflink=auto', '--sparse=always', '--', disk, join(place, PARTS.disk)];
  await run(argv, { timeoutMs: COPY_MS, signal });
  const { code } = await jails.run(
    {
      argv: ['e2fsck', '-f', '-y', `/out/${PARTS.disk}`],
      mounts: [{ source: place, target: '/out', access: 'write' }],
      timeoutMs: COPY_MS,
    },
    signal,
  );
  return code <= 1;
}
