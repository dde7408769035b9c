import { isShort, keptForVps, noRoomFor, tellsOfNoRoom } from '../core/pool-room.ts';
import type { Context } from './context.ts';

const WATCH_MS = 400;

/** Refuses what would take room that is kept for VPSs. @throws insufficient_disk */
export async function requireRoomInPool({ deps }: Context, what: string, needed: number): Promise<void> {
  const room = await deps.pool.info();
  if (needed > room.free - keptForVps(room.size)) throw noRoomFor(what, room, needed);
}

/**
 * Has work write into a volume and ends it before it takes the room that is kept for VPSs; `needed` are the bytes that it
 * comes to, where that is known: then it does not begin without them. @throws insufficient_disk
 */
export async function withinRoom<T>(
  context: Context,
  what: string,
  needed: number | undefined,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { pool } = context.deps;
  if (needed !== undefined) await requireRoomInPool(context, what, needed);
  const full = new AbortController();
  const look = async (): Promise<void> => {
    const now = await pool.info();
    if (isShort(now)) full.abort(noRoomFor(what, now, needed));
  };
  const timer = setInterval(() => void look().catch(() => undefined), WATCH_MS).unref();
  try {
    return await work(AbortSignal.any([signal, full.signal]));
  } catch (failure) {
    if (full.signal.aborted) throw full.signal.reason;
    const now = await pool.info();
    // Where else room is missing, the failure says itself.
    throw isShort(now) && tellsOfNoRoom(failure) ? noRoomFor(what, now, needed, failure) : failure;
  } finally {
    clearInterval(timer);
  }
}
