import { copyFileSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { LAUNCHER, ROOT, type TestDaemon } from './daemon.ts';

/** Copies what helps to understand a failure to test-evidence/: the daemon's log, its tasks and VPSs, the kernel's log. */
export async function saveEvidence(daemon: TestDaemon, failed: string): Promise<void> {
  const words = failed
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60);
  const folder = join(ROOT, 'test-evidence', `${daemon.name}-${words}`);
  mkdirSync(folder, { recursive: true });
  if (existsSync(daemon.log)) copyFileSync(daemon.log, join(folder, 'daemon.log'));
  const options = { env: daemon.environment, timeoutMs: 10_000 };
  const record = async (file: string, argv: readonly string[]): Promise<void> => {
    const { stdout, stderr } = await runCommand(argv, options);
    writeFileSync(join(folder, file), stdout + stderr);
  };
  await record('tasks.json', [LAUNCHER, 'task', 'list', '--json']);
  await record('vps.json', [LAUNCHER, 'list', '--json']);
  await record('dmesg.txt', ['dmesg', '--time-format', 'iso']);
  await record('mounts.txt', ['cat', '/proc/self/mountinfo']);
  await record('processes.txt', ['ps', '-eo', 'pid,ppid,stat,etime,args']);
}
