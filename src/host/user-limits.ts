import { run } from './run.ts';

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
  await run(['nsenter', `--target=${pid}`, '--user', 'sh', '-c', SCRIPT, 'sh', ...words]);
}
