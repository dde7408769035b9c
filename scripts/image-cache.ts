import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/**
 * Puts the image that tests and benchmarks launch into the cache, by a process of its own that has the machine's
 * network. False when it could not; its output tells why.
 */
export const primeImageCache = (): Promise<boolean> => prime('prime-image-cache.ts');

/** Likewise the images of nested hosts. */
export const primeNestedHosts = (): Promise<boolean> => prime('prime-nested.ts');

async function prime(script: string): Promise<boolean> {
  const child = spawn(process.execPath, [join(import.meta.dirname, script)], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  const [code]: unknown[] = await once(child, 'close');
  return code === 0;
}
