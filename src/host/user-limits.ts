import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PLAIN_LANGUAGE } from './command-environment.ts';
import { run } from './run.ts';
import { hasCode } from './system-error.ts';

/** Settings below /proc/sys/user: what the processes of one user namespace, and of those below it, may make together. */
export type UserLimits = Readonly<Record<string, number>>;

const SCRIPT = `for limit do
  [ ! -e "/proc/sys/user/\${limit%=*}" ] || echo "\${limit#*=}" > "/proc/sys/user/\${limit%=*}" || exit 1
done`;

/**
 * Sets them in the user namespace of a process that has not begun; what a kernel does not have is passed over. The shell is
 * the host's. Inside, it takes CAP_SYS_RESOURCE to change them (namespaces(7), "The /proc/sys/user directory").
 */
export async function limitUserNamespace(pid: number, limits: UserLimits): Promise<void> {
  const words = Object.entries(limits).map(([name, value]) => `${name}=${value}`);
  await run(['nsenter', `--target=${pid}`, '--user', 'sh', '-c', SCRIPT, 'sh', ...words], {
    env: PLAIN_LANGUAGE,
  });
}

/** Settings below /proc/sys, as `fs/inotify/max_user_instances`. */
export type HostLimits = Readonly<Record<string, number>>;

/**
 * Raises the host's to at least these, where this process may. What a user namespace uses counts for the user who made it,
 * too: all VPSs together have no more than root has here, and the kernel's 128 watchers of files are soon gone.
 */
export function raiseHostLimits(limits: HostLimits, settings = '/proc/sys'): void {
  for (const [name, value] of Object.entries(limits)) {
    const path = join(settings, name);
    try {
      if (existsSync(path) && Number(readFileSync(path, 'utf8')) < value) writeFileSync(path, String(value));
    } catch (failure) {
      if (!hasCode(failure, 'EACCES', 'EPERM', 'EROFS')) throw failure;
    }
  }
}
