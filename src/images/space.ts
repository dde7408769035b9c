import { MullionError } from '../contract/errors.ts';
import { formatSize } from '../contract/size-text.ts';
import { MIB } from '../contract/sizes.ts';
import { isShort, noRoomFor, tellsOfNoRoom } from '../core/pool-room.ts';
import type { VolumeBackend } from '../storage/volume.ts';

/** @throws MullionError `insufficient_disk` when less than `needed` bytes are free there */
export function requireSpace(needed: number, { free }: { readonly free: number }, where: string): void {
  if (free >= needed) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  throw new MullionError(
    'insufficient_disk',
    `The image needs ${mib(needed)}; ${mib(free)} are free at ${where}.`,
    {
      remedy: 'Free space there, or grow the pool: mullion pool grow default SIZE',
      details: { needed, free, where },
    },
  );
}

/** A build that found less room than there was when it began. */
export const noRoomToBuild = (where: string, needed: number, cause: unknown): MullionError =>
  new MullionError(
    'insufficient_disk',
    `There was no room left at ${where} for the build, which needs about ${formatSize(needed)}.`,
    { remedy: 'Free space there and build again: it resumes', details: { needed, where }, cause },
  );

const WATCH_MS = 400;

export interface SpaceGuard extends Disposable {
  /** Aborts when the pool nears its end. */
  readonly signal: AbortSignal;
  /** What the work gives; when it fails because the pool has no room, whatever it says, an error that says so. */
  explain<T>(work: Promise<T>): Promise<T>;
}

/** Watches the pool while `what` is written into it; `needed` are the bytes it comes to, where that is known. */
export function guardSpace(pool: Pick<VolumeBackend, 'info'>, what: string, needed?: number): SpaceGuard {
  const controller = new AbortController();
  const look = async (): Promise<void> => {
    const room = await pool.info();
    if (isShort(room)) controller.abort(noRoomFor(what, room, needed));
  };
  const timer = setInterval(() => void look().catch(() => undefined), WATCH_MS);
  return {
    signal: controller.signal,
    explain: async (work) => {
      try {
        return await work;
      } catch (failure) {
        if (controller.signal.aborted) throw controller.signal.reason;
        throw tellsOfNoRoom(failure) ? noRoomFor(what, await pool.info(), needed, failure) : failure;
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Bytes on the disk for each byte of package: packages are compressed about threefold, and an image holds them twice. */
const PARTS_OF_PACKAGE = 8;

/** What the parts of an image will take about, told from its packages. */
export const estimateParts = (packageBytes: number): number => packageBytes * PARTS_OF_PACKAGE;
