import { setTimeout as sleep } from 'node:timers/promises';
import { syncBtrfs } from '../../host/btrfs.ts';
import { spaceOf } from '../../host/file-systems.ts';
import { RESERVE } from '../volume-limits.ts';

const PATIENCE_MS = 3000;
const PAUSE_MS = 100;

/** Free bytes; where next to nothing is left, after waiting for the space of what was deleted a moment ago. */
export async function reclaimableSpace(path: string): Promise<number> {
  let { free } = await spaceOf(path);
  if (free >= RESERVE) return free;
  await syncBtrfs(path);
  for (let waited = 0; free < RESERVE && waited < PATIENCE_MS; waited += PAUSE_MS) {
    await sleep(PAUSE_MS);
    ({ free } = await spaceOf(path));
  }
  return free;
}
