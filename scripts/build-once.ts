import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

/** Builds what tests run, and tells them by their environment that they need not look again. */
export function buildOnce(): void {
  const { status } = spawnSync(join(import.meta.dirname, 'bootstrap.sh'), { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  process.env.MULLION_TEST_BUILT = 'yes';
}
