import { MullionError } from '../contract/errors.ts';
import { formatSize } from '../contract/size-text.ts';
import { GIB, MIB } from '../contract/sizes.ts';
import type { VolumeBackend } from '../storage/volume.ts';

/** @throws MullionError `insufficient_disk` when less than `needed` bytes are free there */
export function requireSpace(needed: number, { free }: { readonly free: number }, where: string): void {
  if (free >= needed) return;
  const mib = (bytes: number): string => `${Math.ceil(bytes / MIB)} MiB`;
  throw new MullionError(
    'insufficient_disk',
    `The image needs ${mib(needed)}; ${mib(free)} are free at ${where}.`,
    {
      remedy: 'Free space there, or grow the pool: mullion pool grow',
      details: { needed, free, where },
    },
  );
}

/** What VPSs keep of the pool while something is written into it: a part of it, at most this many bytes. */
const RESERVE_SHARE = 0.05;
const RESERVE_LIMIT = 2 * GIB;
const WATCH_MS = 400;
/** What programs say of a pool that has no room; Node has no name for EDQUOT (122). */
const FULL =
  /system error -122\b|No space left|Disk quota exceeded|ENOSPC|EDQUOT|no space left|quota exceeded/;

export interface SpaceGuard extends Disposable {
  /** Aborts when the pool nears its end. */
  readonly signal: AbortSignal;
  /** What the work gives; when it fails because the pool has no room, whatever it says, an error that says so. */
  explain<T>(work: Promise<T>): Promise<T>;
}

/** Watches the pool while `what` is written into it; `needed` are the bytes it comes to, where that is known. */
export function guardSpace(pool: Pick<VolumeBackend, 'info'>, what: string, needed?: number): SpaceGuard {
  const controller = new AbortController();
  const full = (free: number, reserve: number, cause?: unknown): MullionError =>
    new MullionError(
      'insufficient_disk',
      `There is no room for ${what}: ${formatSize(free)} are left in the pool, of which ${formatSize(reserve)} are kept for VPSs${needed === undefined || needed === 0 ? '' : `; it needs ${formatSize(needed)}`}.`,
      {
        remedy: 'Grow the pool: mullion pool grow, or delete images that nobody uses: mullion image list',
        details: { free, reserve, ...(needed === undefined ? {} : { needed }) },
        cause,
      },
    );
  const space = async (): Promise<{ readonly free: number; readonly reserve: number }> => {
    const { free, size } = await pool.info();
    return { free, reserve: Math.min(size * RESERVE_SHARE, RESERVE_LIMIT) };
  };
  const look = async (): Promise<void> => {
    const { free, reserve } = await space();
    if (free < reserve) controller.abort(full(free, reserve));
  };
  const timer = setInterval(() => void look().catch(() => undefined), WATCH_MS);
  return {
    signal: controller.signal,
    explain: async (work) => {
      try {
        return await work;
      } catch (failure) {
        if (controller.signal.aborted) throw controller.signal.reason;
        if (!FULL.test(textOf(failure))) throw failure;
        const { free, reserve } = await space();
        throw full(free, reserve, failure);
      }
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

const textOf = (failure: unknown): string =>
  failure instanceof Error
    ? `${failure.message} ${failure.cause === undefined ? '' : textOf(failure.cause)}`
    : '';

/** Bytes on the disk for each byte of package: packages are compressed about threefold, and an image holds them twice. */
const PARTS_OF_PACKAGE = 8;

/** What the parts of an image will take about, told from its packages. */
export const estimateParts = (packageBytes: number): number => packageBytes * PARTS_OF_PACKAGE;
