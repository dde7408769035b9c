import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hasCode } from './system-error.ts';

/** Settings below /proc/sys/user: what the processes of one user namespace, and of those below it, may make together. */
export type UserLimits = Readonly<Record<string, number>>;

/** As arguments of `SET_LIMITS`. */
export const wordsOf = (limits: UserLimits): string[] =>
  Object.entries(limits).map(([name, value]) => `${name}=${value}`);

/**
 * Lines of sh(1) that set them in the user namespace that the shell is in: these files are of whoever opens them, so that nobody
 * outside can. What a kernel does not have is passed over. It takes CAP_SYS_RESOURCE inside (namespaces(7), "The
 * /proc/sys/user directory").
 */
export const SET_LIMITS = `for limit do
  [ ! -e "/proc/sys/user/\${limit%=*}" ] || echo "\${limit#*=}" > "/proc/sys/user/\${limit%=*}" || exit 1
done`;

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
