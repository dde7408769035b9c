import { dataOf } from '../../host/btrfs.ts';
import { hasCode } from '../../host/system-error.ts';
import type { Measure, PoolMeasures } from '../volume.ts';

/** Subvolumes that are measured as one. */
export interface Holder {
  readonly id: string;
  readonly paths: readonly string[];
}

interface Count {
  total: number;
  exclusive: number;
}

/** What each holds, and what of it none of the others does. What goes meanwhile is left out. */
export async function measureHolders(
  holders: Readonly<Record<keyof PoolMeasures, readonly Holder[]>>,
): Promise<PoolMeasures> {
  /** Who alone holds what lies at a place; undefined once it is more than one. */
  const owners = new Map<number, Count | undefined>();
  const measure = async ({ id, paths }: Holder): Promise<(Count & Measure)[]> => {
    const count = { id, total: 0, exclusive: 0 };
    const held = new Set<number>();
    let found = false;
    for (const path of paths) {
      try {
        for await (const { place, size } of dataOf(path)) {
          if (held.has(place)) continue;
          held.add(place);
          count.total += size;
          const owner = owners.get(place);
          if (owner !== undefined) owner.exclusive -= size;
          else if (!owners.has(place)) count.exclusive += size;
          owners.set(place, owners.has(place) ? undefined : count);
        }
        found = true;
      } catch (failure) {
        if (!hasCode(failure, 'ENOENT')) throw failure;
      }
    }
    return found ? [count] : [];
  };
  const measureAll = async (all: readonly Holder[]): Promise<Measure[]> => {
    const counts: Measure[] = [];
    for (const holder of all) counts.push(...(await measure(holder)));
    return counts;
  };
  return {
    volumes: await measureAll(holders.volumes),
    snapshots: await measureAll(holders.snapshots),
    images: await measureAll(holders.images),
  };
}
