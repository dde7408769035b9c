import { SystemError } from '../system-error.ts';
import { checked, libc } from './libc.ts';

/** What a descriptor of a new program is: one of this process, or an empty device. */
export type ChildFd = number | 'null';

export interface SpawnRequest {
  /** An absolute path. */
  readonly path: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** By position: 0 is standard input. All others are closed where they are marked so (O_CLOEXEC). */
  readonly fds: readonly ChildFd[];
  /** Whether it leads a session of its own (setsid(2)). */
  readonly session: boolean;
}

/** Sizes of glibc's structures, rounded up. */
const ATTRIBUTES = 512;
const ACTIONS = 256;
const SIGNALS = 128;
const O_RDWR = 2;
const SETSIGDEF = 0x04;
const SETSIGMASK = 0x08;
const SETSID = 0x80;

/**
 * Starts a program by posix_spawn(3), which shares this process's memory until the program begins. fork(2), by which
 * Node starts its children, copies the tables of that memory: milliseconds in which the daemon stands still.
 * @throws SystemError ENOENT, EACCES, ...
 */
export function spawnProgram({ path, argv, env, cwd, fds, session }: SpawnRequest): number {
  const c = libc();
  const actions = Buffer.alloc(ACTIONS);
  const attributes = Buffer.alloc(ATTRIBUTES);
  must(c.posix_spawn_file_actions_init(actions));
  try {
    must(c.posix_spawnattr_init(attributes));
    if (cwd !== undefined) must(c.posix_spawn_file_actions_addchdir_np(actions, cwd));
    placeFds(actions, fds);
    must(c.posix_spawnattr_setflags(attributes, SETSIGDEF | SETSIGMASK | (session ? SETSID : 0)));
    // Node ignores SIGPIPE, which a program would inherit.
    must(c.posix_spawnattr_setsigdefault(attributes, Buffer.alloc(SIGNALS, 0xff)));
    must(c.posix_spawnattr_setsigmask(attributes, Buffer.alloc(SIGNALS)));
    const pid = Buffer.alloc(4);
    const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
    const errno = c.posix_spawn(pid, path, actions, attributes, [...argv, null], [...variables, null]);
    if (errno !== 0) throw new SystemError('spawn', errno, path);
    return pid.readInt32LE();
  } finally {
    c.posix_spawn_file_actions_destroy(actions);
    c.posix_spawnattr_destroy(attributes);
  }
}

/** Those that another would overwrite before its turn step aside first. */
function placeFds(actions: Buffer, fds: readonly ChildFd[]): void {
  const c = libc();
  const given = fds.filter((fd) => fd !== 'null');
  const crowded = given.some((fd) => fd < fds.length);
  const aside = Math.max(fds.length, ...given) + 1;
  if (crowded) {
    for (const [index, fd] of fds.entries()) {
      if (fd !== 'null') must(c.posix_spawn_file_actions_adddup2(actions, fd, aside + index));
    }
  }
  for (const [index, fd] of fds.entries()) {
    if (fd === 'null') must(c.posix_spawn_file_actions_addopen(actions, index, '/dev/null', O_RDWR, 0));
    else must(c.posix_spawn_file_actions_adddup2(actions, crowded ? aside + index : fd, index));
  }
  if (!crowded) return;
  for (const [index, fd] of fds.entries()) {
    if (fd !== 'null') must(c.posix_spawn_file_actions_addclose(actions, aside + index));
  }
}

function must(errno: number): void {
  if (errno !== 0) throw new SystemError('posix_spawn', errno);
}

export type Ended =
  | { readonly code: number; readonly signal: null }
  | { readonly code: null; readonly signal: number };

const WNOHANG = 1;
/** How a child of this process ended; undefined while it runs. It then has no pid any more (waitpid(2)). */
export function reap(pid: number): Ended | undefined {
  const status = Buffer.alloc(4);
  if (checked('waitpid', libc().waitpid(pid, status, WNOHANG)) === 0) return undefined;
  const word = status.readInt32LE();
  const signal = word & 0x7f;
  return signal === 0 ? { code: (word >> 8) & 0xff, signal: null } : { code: null, signal };
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
/** Two ends of one connection (socketpair(2)), closed in programs that are started. @throws SystemError */
export function socketPair(): readonly [number, number] {
  const memory = Buffer.alloc(8);
  checked('socketpair', libc().socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, memory));
  return [memory.readInt32LE(0), memory.readInt32LE(4)];
}
