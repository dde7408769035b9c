import type { Retention } from '../contract/backups.ts';

export interface Dated {
  readonly id: string;
  /** RFC 3339, UTC. */
  readonly createdAt: string;
}

/**
 * Ids of what the rules no longer keep. Each rule keeps the newest backup of each of its last periods that has one; the
 * newest of all is kept whatever the rules say. Rules that are all 0 keep everything.
 */
export function expired(backups: readonly Dated[], keep: Retention): string[] {
  if (Object.values(keep).every((count) => count === 0)) return [];
  const newestFirst = [...backups].sort((a, b) => Date.parse(b.createdAt) - Date.parse(a.createdAt));
  const kept = new Set(newestFirst.slice(0, Math.max(1, keep.last)).map(({ id }) => id));
  for (const [periodOf, count] of [
    [dayOf, keep.daily],
    [weekOf, keep.weekly],
    [monthOf, keep.monthly],
  ] as const) {
    for (const id of newestOfPeriods(newestFirst, periodOf, count)) kept.add(id);
  }
  return newestFirst.filter(({ id }) => !kept.has(id)).map(({ id }) => id);
}

function newestOfPeriods(
  newestFirst: readonly Dated[],
  periodOf: (time: Date) => string,
  count: number,
): string[] {
  const newest = new Map<string, string>();
  for (const { id, createdAt } of newestFirst) {
    const period = periodOf(new Date(createdAt));
    if (!newest.has(period)) newest.set(period, id);
  }
  return [...newest.values()].slice(0, count);
}

const dayOf = (time: Date): string => time.toISOString().slice(0, 10);
const monthOf = (time: Date): string => time.toISOString().slice(0, 7);

/** The Monday that the week began with. */
function weekOf(time: Date): string {
  const monday = new Date(time);
  monday.setUTCDate(time.getUTCDate() - ((time.getUTCDay() + 6) % 7));
  return dayOf(monday);
}
