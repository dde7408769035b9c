import { constants } from 'node:os';

const NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(constants.errno));
/** Some numbers have two names; the usual one of EAGAIN and EWOULDBLOCK comes first. */
const NAMES: ReadonlyMap<number, string> = new Map(
  [...NUMBERS].reverse().map(([name, errno]) => [errno, name]),
);

/** A system call that failed; `code` is the name of its errno, for example ENOENT (errno(3)). */
export class SystemError extends Error {
  override readonly name = 'SystemError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, subject?: string) {
    const code = NAMES.get(errno) ?? `errno ${errno}`;
    super(`${syscall}${subject === undefined ? '' : ` ${subject}`}: ${code}`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/**
 * Whether something thrown, by Node or by a system call, carries one of these errno names. Node has no name for some,
 * EDQUOT among them: its code is then UNKNOWN and only the number tells.
 */
export function hasCode(thrown: unknown, ...codes: readonly string[]): boolean {
  if (!(thrown instanceof Error)) return false;
  if ('code' in thrown && typeof thrown.code === 'string' && codes.includes(thrown.code)) return true;
  const errno = 'errno' in thrown && typeof thrown.errno === 'number' ? Math.abs(thrown.errno) : 0;
  return errno !== 0 && codes.some((code) => NUMBERS.get(code) === errno);
}
