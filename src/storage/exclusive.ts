import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../contract/errors.ts';
import { lockFile } from '../host/locks.ts';

const PATIENCE_MS = 120_000;

/** Runs `body` while no other process, nor another call of this one, is inside with the same file. */
export async function exclusively<T>(path: string, body: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  const deadline = performance.now() + PATIENCE_MS;
  let lock = lockFile(path);
  for (let pause = 5; lock === undefined; pause = Math.min(pause * 2, 100)) {
    if (performance.now() > deadline) {
      throw new MullionError('in_use', 'Another daemon is still opening this pool.', {
        details: { lock: path },
      });
    }
    await sleep(pause);
    lock = lockFile(path);
  }
  try {
    return await body();
  } finally {
    lock.release();
  }
}
