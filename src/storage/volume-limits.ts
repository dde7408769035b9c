import { MullionError } from '../contract/errors.ts';
import { formatSize, MIB } from '../contract/sizes.ts';

/** Below this, a file system may not be able to record even a deletion. */
export const RESERVE = 32 * MIB;

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

/** @throws MullionError when next to nothing is left */
export function checkFree(free: number): void {
  if (free < RESERVE) throw poolIsFull(free);
}

export const poolIsFull = (free: number, cause?: unknown): MullionError =>
  new MullionError('insufficient_disk', `The pool is full: ${formatSize(free)} left.`, {
    remedy: 'Delete something, or grow the pool: mullion pool grow',
    details: { free },
    cause,
  });
