import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/**
 * Puts the image that tests and benchmarks launch into the cache, by a process of its own that has the machine's
 * network. False when it could not; its output tells why.
 */
export const primeImageCache = (): boolean => prime('prime-image-cache.ts');

/** Likewise the images of nested hosts. */
export const primeNestedHosts = (): boolean => prime('prime-nested.ts');

function prime(script: string): boolean {
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, script)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return status === 0;
}
