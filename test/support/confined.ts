import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/**
 * Runs the calling test file again in a process that can write files nowhere but in a temporary folder of its own (Node's
 * permission model): what the code under test tries to write elsewhere fails there. True in the inner process.
 */
export function onlyWritesBelow(fileUrl: string): boolean {
  if (process.permission?.has('fs.write', '/etc') === false) return true;
  const folder = mkdtempSync(join(tmpdir(), 'mullion-confined-'));
  try {
    const rights = ['--permission', '--allow-fs-read=*', `--allow-fs-write=${folder}`];
    const argv = [...process.execArgv, ...rights, fileURLToPath(fileUrl)];
    const inner = spawnSync(process.execPath, argv, {
      stdio: 'inherit',
      env: { ...process.env, TMPDIR: folder, MULLION_TEST_SCRATCH: folder },
    });
    process.exitCode = inner.status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return false;
}
