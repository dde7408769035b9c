import { setTimeout as sleep } from 'node:timers/promises';
import { syncBtrfs } from '../../host/btrfs.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { reserveOf } from '../volume-limits.ts';

const PATIENCE_MS = 3000;
const PAUSE_MS = 100;

/** Its room; where next to nothing is left, after waiting for the space of what was deleted a moment ago. */
export async function reclaimableSpace(path: string): Promise<{ size: number; free: number }> {
  let { size, free } = await spaceOf(path);
  const reserve = reserveOf(size);
  if (free >= reserve) return { size, free };
  await syncBtrfs(path);
  for (let waited = 0; free < reserve && waited < PATIENCE_MS; waited += PAUSE_MS) {
    await sleep(PAUSE_MS);
    ({ size, free } = await spaceOf(path));
  }
  return { size, free };
}
