import { rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../../src/host/run.ts';
import { CACHE } from '../test-image.ts';

/** What nested hosts are made of, shared by all checkouts of this machine; each name ends with a digest. */
export const NESTED_CACHE = join(CACHE, 'nested');
const KEPT_MINUTES = 12 * 60;

/** Notes that something of the cache is in use. */
export async function use(path: string): Promise<void> {
  const now = new Date();
  await utimes(path, now, now);
}

/** Removes what starts so and was not used for long: another checkout may need what this one does not. */
export async function forgetOld(start: string): Promise<void> {
  const found = await run([
    ...['find', NESTED_CACHE, '-maxdepth', '1', '-name', `${start}*`],
    ...['-mmin', `+${KEPT_MINUTES}`, '-print'],
  ]);
  for (const path of found.stdout.split('\n').filter((line) => line !== '')) {
    await rm(path, { recursive: true, force: true });
  }
}
