import { spawnSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';

/** Set in the inner process: the network namespace of the outer. */
export const MARK = 'MULLION_TEST_NETNS';

const NAMESPACES = ['unshare', '--net', '--mount', '--propagation', 'private'] as const;

/** Runs a file in network and mount namespaces of its own; `code` is absent where the host allows none. */
export function runInPrivateNetns(file: string): { readonly code?: number; readonly reason: string } {
  const [program, ...flags] = NAMESPACES;
  const probe = spawnSync(program, [...flags, 'true'], { encoding: 'utf8' });
  if (probe.status !== 0) return { reason: probe.stderr.trim() };
  const { status } = spawnSync(
    'setpriv',
    ['--pdeathsig', 'KILL', ...NAMESPACES, process.execPath, ...process.execArgv, file],
    { stdio: 'inherit', env: { ...process.env, [MARK]: readlinkSync('/proc/self/ns/net') } },
  );
  return { code: status ?? 1, reason: '' };
}
