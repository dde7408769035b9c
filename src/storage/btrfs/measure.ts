import { dataOf } from '../../host/btrfs.ts';
import { hasCode } from '../../host/system-error.ts';
import type { PoolFolders } from '../pool-folders.ts';
import type { Measure, PoolMeasures } from '../volume.ts';

/** Subvolumes that are measured as one. */
interface Holder {
  readonly id: string;
  readonly paths: readonly string[];
}

interface Count {
  total: number;
  exclusive: number;
}

/** What each volume, all snapshots of one, and each image hold, and what of it nothing else does. What goes meanwhile is left out. */
export async function measurePool(folders: PoolFolders): Promise<PoolMeasures> {
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
  const volumes = folders.listVolumes();
  const kept = volumes.filter((id) => folders.listSnapshots(id).length > 0);
  const images = folders.listImages().filter(({ sealed }) => sealed);
  const snapshotPaths = (id: string): string[] =>
    folders.listSnapshots(id).map((name) => folders.snapshot(id, name));
  return {
    volumes: await measureAll(volumes.map((id) => ({ id, paths: [folders.volume(id)] }))),
    snapshots: await measureAll(kept.map((id) => ({ id, paths: snapshotPaths(id) }))),
    images: await measureAll(images.map(({ id }) => ({ id, paths: [folders.image(id)] }))),
  };
}
