import { GIB, MIB } from '../../contract/sizes.ts';

/** What an image from elsewhere may come to; hostile ones are small to send and endless to unpack. */
export interface ImportLimits {
  /** Bytes of all files of a root file system together, or of a disk. */
  readonly bytes: number;
  readonly files: number;
  /** Bytes out for each byte in, once more than `ratioFrom` bytes came out; disks may be all holes. */
  readonly ratio: number;
  readonly ratioFrom: number;
  readonly timeoutMs: number;
}

export const IMPORT_LIMITS: ImportLimits = {
  bytes: 256 * GIB,
  files: 2_000_000,
  ratio: 200,
  ratioFrom: 256 * MIB,
  timeoutMs: 2 * 3_600_000,
};
