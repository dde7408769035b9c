import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** A new empty folder below `MULLION_TEST_SCRATCH` (default /tmp/mullion-tests); removed when the scope ends. */
export function scratchDirectory(purpose: string): Disposable & { readonly path: string } {
  const parent = process.env.MULLION_TEST_SCRATCH ?? '/tmp/mullion-tests';
  mkdirSync(parent, { recursive: true });
  const path = mkdtempSync(join(parent, `${purpose}-`));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Waits until `condition` holds, looking every few milliseconds. @throws Error that names `what` after `timeoutMs`. */
export async function eventually(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 5_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`it did not come true in ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
