import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A new empty folder below `MULLION_TEST_SCRATCH` (default /tmp/mullion-tests); removed when the scope ends. */
export function scratchDirectory(purpose: string): Disposable & { readonly path: string } {
  const parent = process.env.MULLION_TEST_SCRATCH ?? '/tmp/mullion-tests';
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, `${purpose}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

const SHORTEST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Waits until `condition` holds. The pause between looks is eight times as long as a look takes, within limits, so that
 * waiting for a guest by a command leaves the processors to the guest. @throws Error that names `what` after `timeoutMs`.
 */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const began = performance.now();
    if (await condition()) return;
    const now = performance.now();
    if (now > deadline) throw new Error(`it did not come true in ${timeoutMs} ms: ${what}`);
    const pause = Math.min(LONGEST_PAUSE_MS, Math.max(SHORTEST_PAUSE_MS, 8 * (now - began)));
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
