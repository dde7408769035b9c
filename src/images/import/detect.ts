/** What the first bytes of a file say it is. */
export type Detected = 'gzip' | 'xz' | 'zstd' | 'tar' | 'qcow2' | 'vmdk' | 'vdi' | 'iso' | 'raw';

/** Enough of a file to tell: the volume descriptor of ISO 9660 stands at 32 KiB. */
export const HEAD_BYTES = 0x8000 + 2048;

const MAGICS: readonly (readonly [Detected, number, string])[] = [
  ['gzip', 0, '1f8b'],
  ['xz', 0, 'fd377a585a00'],
  ['zstd', 0, '28b52ffd'],
  ['qcow2', 0, '514649fb'],
  // A sparse extent, and the bare descriptor that names its extents.
  ['vmdk', 0, '4b444d56'],
  ['vmdk', 0, Buffer.from('# Disk DescriptorFile').toString('hex')],
  ['vdi', 0x40, '7f10dabe'],
  ['iso', 0x8001, Buffer.from('CD001').toString('hex')],
  ['tar', 257, Buffer.from('ustar').toString('hex')],
];
/** A partition table of a PC, or an ext2/3/4 file system. */
const RAW: readonly (readonly [number, string])[] = [
  [510, '55aa'],
  [1080, '53ef'],
];

/** Undefined when it is none of what can be imported. */
export function detect(head: Buffer): Detected | undefined {
  const has = (at: number, hex: string): boolean =>
    head.subarray(at, at + hex.length / 2).toString('hex') === hex;
  const found = MAGICS.find(([, at, hex]) => has(at, hex));
  if (found !== undefined) return found[0];
  if (RAW.some(([at, hex]) => has(at, hex))) return 'raw';
  return head.length >= 512 && hasTarChecksum(head) ? 'tar' : undefined;
}

/** Archives from before ustar have no magic, only a sum (POSIX.1-1988, tar). */
function hasTarChecksum(block: Buffer): boolean {
  const stored = Number.parseInt(block.toString('latin1', 148, 156), 8);
  let sum = 8 * 0x20;
  for (let at = 0; at < 512; at++) if (at < 148 || at >= 156) sum += block[at] ?? 0;
  return stored === sum && block[0] !== 0;
}

/** Ext2, 3 or 4 right at the beginning: a file system without a partition table. */
export const isBareFileSystem = (head: Buffer): boolean =>
  head.subarray(1080, 1082).toString('hex') === '53ef' && head.subarray(510, 512).toString('hex') !== '55aa';
