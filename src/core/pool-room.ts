import { MullionError } from '../contract/errors.ts';
import { formatSize } from '../contract/size-text.ts';
import { GIB } from '../contract/sizes.ts';

export interface Room {
  readonly size: number;
  readonly free: number;
}

const RESERVE_SHARE = 0.05;
const RESERVE_LIMIT = 2 * GIB;

/** What VPSs keep of the pool while something is written into it: a part of it, at most so many bytes. */
export const keptForVps = (size: number): number => Math.min(size * RESERVE_SHARE, RESERVE_LIMIT);

/** What a pool's file leaves to the host of the file system that it lies in. */
export const keptForHost = (size: number): number => keptForVps(size);

export const isShort = ({ size, free }: Room): boolean => free < keptForVps(size);

/** `needed` are the bytes it comes to, where that is known. */
export function noRoomFor(what: string, room: Room, needed?: number, cause?: unknown): MullionError {
  const reserve = keptForVps(room.size);
  const known = needed !== undefined && needed > 0;
  return new MullionError(
    'insufficient_disk',
    `There is no room for ${what}: ${formatSize(room.free)} are left in the pool, of which ${formatSize(reserve)} are kept for VPSs${known ? `; it needs ${formatSize(needed)}` : ''}.`,
    {
      remedy:
        'Grow the pool: mullion pool grow default SIZE, or delete images that nobody uses: mullion image list',
      details: { free: room.free, reserve, ...(known ? { needed } : {}) },
      cause,
    },
  );
}

/** What programs say of a place that has no room; Node has no name for EDQUOT (122). */
const FULL =
  /system error -122\b|No space left|Disk quota exceeded|ENOSPC|EDQUOT|no space left|quota exceeded/;

/** Whether something failed because there was no room, whatever it says. */
export function tellsOfNoRoom(failure: unknown): boolean {
  if (!(failure instanceof Error)) return false;
  const said = failure instanceof MullionError ? String(failure.details.stderr ?? '') : '';
  const own = failure instanceof MullionError && failure.code === 'insufficient_disk';
  return own || FULL.test(`${failure.message} ${said}`) || tellsOfNoRoom(failure.cause);
}
