import { rm } from 'node:fs/promises';
import { MIB } from '../contract/sizes.ts';
import { run } from '../host/run.ts';

/** /init and people find the root file system by it. */
export const ROOT_LABEL = 'mullion-root';
/** The same in each image: a VPS has one such disk, and nothing of it may depend on when the image was built. */
export const ROOT_UUID = '6d756c6c-696f-4e00-8000-726f6f740001';

const JOURNAL_MIB = 16;
const INODE_BYTES = 16_384;
const TRIES = 4;

/** Bytes of a disk that holds this much: with tables, journal and a little room, in whole MiB. */
export const diskSize = (content: number, attempt = 0): number =>
  (Math.ceil((content * (1.08 + attempt * 0.1)) / MIB) + JOURNAL_MIB + 24) * MIB;

/** mke2fs(8): an ext4 file system in a file, filled from a folder; it can grow a thousandfold. */
export const renderMakeDisk = (root: string, disk: string, size: number): string[] => [
  'mke2fs',
  ...['-q', '-F', '-t', 'ext4', '-b', '4096', '-i', String(INODE_BYTES), '-m', '1'],
  ...['-L', ROOT_LABEL, '-U', ROOT_UUID, '-J', `size=${JOURNAL_MIB}`],
  ...['-E', `lazy_itable_init=0,lazy_journal_init=1,hash_seed=${ROOT_UUID}`],
  ...['-d', root, disk, `${size / 1024}k`],
];

/** Makes the disk; its size in bytes. */
export async function makeDisk(
  root: string,
  disk: string,
  content: number,
  signal: AbortSignal,
): Promise<number> {
  for (let attempt = 0; ; attempt++) {
    const size = diskSize(content, attempt);
    try {
      await rm(disk, { force: true });
      await run(renderMakeDisk(root, disk, size), { signal, timeoutMs: 1_800_000 });
      return size;
    } catch (failure) {
      // Only by trying does it show that many small files need more than their bytes.
      if (signal.aborted || attempt + 1 >= TRIES) throw failure;
    }
  }
}
