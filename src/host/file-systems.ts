import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { run } from './run.ts';

export interface Space {
  /** Bytes. */
  readonly size: number;
  readonly used: number;
  /** What an ordinary user could still write. */
  readonly free: number;
}

/** statfs(2) of the file system that `path` lies on. */
export async function spaceOf(path: string): Promise<Space> {
  const { blocks, bfree, bavail, bsize } = await statfs(path);
  return { size: blocks * bsize, used: (blocks - bfree) * bsize, free: bavail * bsize };
}

/** Whether the kernel can mount it, its module loaded when that helps. */
export async function kernelKnows(fstype: string): Promise<boolean> {
  if (listed(fstype)) return true;
  try {
    await run(['modprobe', '--quiet', fstype], { okCodes: [0, 1] });
  } catch {
    return false;
  }
  return listed(fstype);
}

/** proc(5), /proc/filesystems. */
const listed = (fstype: string): boolean =>
  readFileSync('/proc/filesystems', 'utf8')
    .split('\n')
    .some((line) => line.split('\t')[1] === fstype);
