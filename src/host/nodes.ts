import { libc } from './syscalls/libc.ts';
import { SystemError } from './system-error.ts';

/** inode(7), "The file type and mode". */
export const S_IFCHR = 0o020000;
export const S_IFBLK = 0o060000;

/** mknod(2). */
export function makeNode(path: string, mode: number, major: number, minor: number): void {
  if (libc().mknod(path, mode, deviceNumber(major, minor)) !== 0) {
    throw new SystemError('mknod', libc().errno(), path);
  }
}

/** makedev(3) of glibc. */
const deviceNumber = (major: number, minor: number): bigint => {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return ((high & 0xfffn) << 8n) | ((high & ~0xfffn) << 32n) | (low & 0xffn) | ((low & ~0xffn) << 12n);
};
