import { existsSync } from 'node:fs';
import { run } from '../../host/run.ts';
import type { Measure } from '../volume.ts';

const PATIENCE_MS = 300_000;
/** A line of `btrfs filesystem du --raw --summarize`: total, exclusive, set shared, path. */
const LINE = /^\s*(\d+)\s+(\d+)\s+(?:\d+|-)\s/;

/** What each holds and what of it nobody else does. What goes meanwhile is left out. */
export async function measureAll(ids: readonly string[], pathOf: (id: string) => string): Promise<Measure[]> {
  const measures: Measure[] = [];
  for (const id of ids) {
    if (!existsSync(pathOf(id))) continue;
    const { stdout } = await run(['btrfs', 'filesystem', 'du', '--raw', '--summarize', pathOf(id)], {
      timeoutMs: PATIENCE_MS,
      okCodes: [0, 1],
    });
    const found = stdout.split('\n').flatMap((line) => LINE.exec(line) ?? []);
    if (found[1] !== undefined) measures.push({ id, total: Number(found[1]), exclusive: Number(found[2]) });
  }
  return measures;
}
