import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { MullionError } from '../contract/errors.ts';
import { type Lock, lockFile } from '../host/locks.ts';

const AGAIN_MS = 200;

/**
 * The lock of a file, waited for while another build, of this daemon or another, holds it; `onWait` hears of that once.
 * @throws MullionError `cancelled`
 */
export async function waitForLock(
  path: string,
  signal: AbortSignal,
  onWait: () => void = () => undefined,
): Promise<Lock & Disposable> {
  await mkdir(dirname(path), { recursive: true });
  for (let first = true; ; first = false) {
    checkCancelled(signal);
    const lock = lockFile(path);
    if (lock !== undefined) return { ...lock, [Symbol.dispose]: () => lock.release() };
    if (first) onWait();
    await delay(AGAIN_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** @throws MullionError `cancelled` once the signal says so */
export function checkCancelled(signal: AbortSignal): void {
  if (signal.aborted) throw new MullionError('cancelled', 'Building the image was cancelled.');
}
