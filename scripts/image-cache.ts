import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Puts the image that tests and benchmarks launch into the cache, by a process of its own that has the machine's
 * network. False when it could not; its output tells why.
 */
export function primeImageCache(): boolean {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, 'prime-image-cache.ts')], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return status === 0;
}
