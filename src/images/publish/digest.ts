import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../host/run.ts';
import { PARTS } from '../artifact.ts';

/** A digest of what an image holds: of its disk, or of names, kinds, sizes and times of its files. */
export async function digestOfFiles(staging: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for (const file of [PARTS.disk, PARTS.bootDisk]) {
    const path = join(staging, file);
    if (!existsSync(path)) continue;
    for await (const piece of createReadStream(path, { signal, highWaterMark: 1024 ** 2 }))
      hash.update(piece);
  }
  const root = join(staging, PARTS.rootfs);
  if (existsSync(root)) {
    const argv = ['find', root, '-xdev', '-printf', '%P\\0%y %m %U %G %s %T@ %l\\0'];
    await run(argv, { timeoutMs: 600_000, signal, onOutput: (text) => void hash.update(text) });
  }
  return `sha256:${hash.digest('hex')}`;
}
