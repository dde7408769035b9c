import { MullionError } from '../contract/errors.ts';
import { formatSize, MIB } from '../contract/sizes.ts';
import type { PoolWarning } from './volume.ts';

/** Below this, a file system may not be able to record even a deletion. */
const RESERVE = 32 * MIB;
/** Beyond it, room that is kept for VPSs is of no more use. */
const MOST_RESERVE = 512 * MIB;
const RESERVED_SHARE = 0.02;
const NEARLY_FULL = 0.9;

/** Free bytes below which nothing new is made: what is left is for the VPSs there are, and for deletions. */
export const reserveOf = (size: number): number =>
  Math.max(RESERVE, Math.min(MOST_RESERVE, Math.floor(size * RESERVED_SHARE)));

/** What to say of a pool that fills up; `remedy` says how it becomes larger. */
export function fullnessWarnings(
  { size, free }: { readonly size: number; readonly free: number },
  remedy: string,
): PoolWarning[] {
  if (free < reserveOf(size)) {
    const message = `The pool is full: ${formatSize(free)} left. Nothing new is made in it until something is deleted, or it grows.`;
    return [{ message, remedy }];
  }
  if (size > 0 && (size - free) / size > NEARLY_FULL) {
    return [{ message: `The pool is nearly full: ${formatSize(free)} of ${formatSize(size)} left.`, remedy }];
  }
  return [];
}

/** @throws MullionError when `limit` is no number of bytes, or larger than the whole pool */
export function checkLimit(limit: number, poolSize: number): void {
  if (!Number.isSafeInteger(limit) || limit <= 0) {
    throw new MullionError('invalid_request', `A disk of ${limit} bytes is not possible.`);
  }
  if (limit > poolSize) {
    throw new MullionError(
      'insufficient_disk',
      `A disk of ${formatSize(limit)} is larger than the pool, which has ${formatSize(poolSize)}.`,
      {
        details: { limit, poolSize },
      },
    );
  }
}

/** @throws MullionError when no more is left than what is kept in reserve */
export function checkFree({ size, free }: { readonly size: number; readonly free: number }): void {
  if (free < reserveOf(size)) throw poolIsFull(free);
}

export const poolIsFull = (free: number, cause?: unknown): MullionError =>
  new MullionError('insufficient_disk', `The pool is full: ${formatSize(free)} left.`, {
    remedy: 'Delete something, or grow the pool: mullion pool grow default SIZE',
    details: { free },
    cause,
  });
