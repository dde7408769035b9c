import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { SystemError } from '../system-error.ts';

type Koffi = typeof import('koffi');
/** Memory that the kernel reads or fills; null is the null pointer. */
export type Memory = Uint8Array | null;

/** System calls without a wrapper in glibc 2.36; from 424 on, numbers are one for every architecture. */
export const SYS = {
  pidfd_send_signal: 424,
  open_tree: 428,
  move_mount: 429,
  pidfd_open: 434,
  mount_setattr: 442,
} as const;
export const AT_FDCWD = -100;
export const AT_EMPTY_PATH = 0x1000;
export const O_CLOEXEC = 0o2000000;

/** libc's functions as they are; a failing one returns -1 and `errno` tells why. */
interface Libc {
  errno(): number;
  /** ioctl(2) on a thread of its own; answers the errno, or 0. */
  ioctlElsewhere(fd: number, request: number, argument: Memory): Promise<number>;
  /** send(2) in the same way. */
  sendElsewhere(fd: number, data: Memory, length: number, flags: number): Promise<number>;
  /** lseek(2) on a thread of its own; answers the place, or the errno below zero. */
  lseekElsewhere(fd: number, offset: number, whence: number): Promise<number>;
  /** umount2(2) on a thread of its own; answers 0 or the errno. */
  umountElsewhere(target: string, flags: number): Promise<number>;
  /** unshare(2) of a thread of its own, which starts no programs. */
  unshareElsewhere(flags: number): Promise<number>;
  futimens(fd: number, times: Memory): number;
  renameat2(
    oldDirectory: number,
    oldPath: string,
    newDirectory: number,
    newPath: string,
    flags: number,
  ): number;
  syscall(number: number, ...typesAndValues: readonly (string | number | Memory)[]): number;
  ioctl(fd: number, request: number, argument: Memory): number;
  mount(source: string, target: string, fstype: string | null, flags: number, data: string | null): number;
  umount2(target: string, flags: number): number;
  poll(descriptors: Memory, count: number, timeout: number): number;
  flock(fd: number, operation: number): number;
  getsockopt(fd: number, level: number, option: number, value: Memory, length: Memory): number;
  socket(domain: number, type: number, protocol: number): number;
  connect(fd: number, address: Memory, length: number): number;
  bind(fd: number, address: Memory, length: number): number;
  send(fd: number, data: Memory, length: number, flags: number): number;
  mkfifo(path: string, mode: number): number;
  recv(fd: number, data: Memory, length: number, flags: number): number;
  setsockopt(fd: number, level: number, option: number, value: Memory, length: number): number;
  setns(fd: number, kind: number): number;
  unshare(flags: number): number;
  fchdir(fd: number): number;
  chroot(path: string): number;
  shutdown(fd: number, how: number): number;
  mknod(path: string, mode: number, device: bigint): number;
  lsetxattr(path: string, name: string, value: Memory, size: number, flags: number): number;
  posix_openpt(flags: number): number;
  grantpt(fd: number): number;
  unlockpt(fd: number): number;
  ptsname_r(fd: number, name: Memory, length: number): number;
  memfd_create(name: string, flags: number): number;
  fcntl(fd: number, operation: number, argument: number): number;
  pipe2(descriptors: Memory, flags: number): number;
  dup3(fd: number, place: number, flags: number): number;
  socketpair(domain: number, type: number, protocol: number, descriptors: Memory): number;
  waitpid(pid: number, status: Memory, options: number): number;
  /** This and the next answer an errno, or 0. */
  posix_spawn(
    pid: Memory,
    path: string,
    actions: Memory,
    attributes: Memory,
    argv: readonly (string | null)[],
    environment: readonly (string | null)[],
  ): number;
  posix_spawn_file_actions_init(actions: Memory): number;
  posix_spawn_file_actions_destroy(actions: Memory): number;
  posix_spawn_file_actions_adddup2(actions: Memory, fd: number, place: number): number;
  posix_spawn_file_actions_addopen(
    actions: Memory,
    place: number,
    path: string,
    flags: number,
    mode: number,
  ): number;
  posix_spawn_file_actions_addclose(actions: Memory, fd: number): number;
  posix_spawn_file_actions_addchdir_np(actions: Memory, path: string): number;
  posix_spawnattr_init(attributes: Memory): number;
  posix_spawnattr_destroy(attributes: Memory): number;
  posix_spawnattr_setflags(attributes: Memory, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Memory, signals: Memory): number;
  posix_spawnattr_setsigmask(attributes: Memory, signals: Memory): number;
  mmap(address: null, length: number, protection: number, flags: number, fd: number, offset: number): bigint;
  munmap(address: bigint, length: number): number;
  /** The function at an address of this process, which takes nothing and answers 64 bits. */
  counterAt(address: bigint): () => bigint;
  /** The memory at an address of this process, as it changes. */
  view(address: bigint, length: number): ArrayBuffer;
}

let loaded: Libc | undefined;

/** Loaded on the first call, so that importing this file costs nothing. */
export function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  const koffi: Koffi = createRequire(import.meta.url)('koffi');
  const library = koffi.load('libc.so.6');
  const ioctlFunction = library.func('int ioctl(int fd, unsigned long request, void *argument)');
  const unshareFunction = library.func('int unshare(int flags)');
  const umountFunction = library.func('int umount2(const char *target, int flags)');
  const sendFunction = library.func('long send(int fd, const void *data, size_t length, int flags)');
  const lseekFunction = library.func('int64_t lseek(int fd, int64_t offset, int whence)');
  /** Calls on another thread; answers the result, or the errno below zero. */
  const elsewhere = (
    call: ReturnType<typeof library.func>,
    ...values: readonly (number | string | Memory)[]
  ): Promise<number> =>
    new Promise((resolve, reject) => {
      call.async(...values, (failure: unknown, result: number | bigint) => {
        if (failure === null) resolve(result < 0 ? -koffi.errno() : Number(result));
        else reject(failure);
      });
    });
  return {
    errno: () => koffi.errno(),
    ioctlElsewhere: async (fd, request, argument) =>
      Math.max(0, -(await elsewhere(ioctlFunction, fd, request, argument))),
    sendElsewhere: async (fd, data, length, flags) =>
      Math.max(0, -(await elsewhere(sendFunction, fd, data, length, flags))),
    lseekElsewhere: (fd, offset, whence) => elsewhere(lseekFunction, fd, offset, whence),
    umountElsewhere: async (target, flags) => Math.max(0, -(await elsewhere(umountFunction, target, flags))),
    unshareElsewhere: async (flags) => Math.max(0, -(await elsewhere(unshareFunction, flags))),
    futimens: library.func('int futimens(int fd, const void *times)'),
    renameat2: library.func(
      'int renameat2(int olddir, const char *oldpath, int newdir, const char *newpath, unsigned int flags)',
    ),
    syscall: library.func('long syscall(long number, ...)'),
    ioctl: ioctlFunction,
    mount: library.func(
      'int mount(const char *source, const char *target, const char *fstype, unsigned long flags, const char *data)',
    ),
    umount2: umountFunction,
    poll: library.func('int poll(void *descriptors, unsigned long count, int timeout)'),
    flock: library.func('int flock(int fd, int operation)'),
    getsockopt: library.func('int getsockopt(int fd, int level, int option, void *value, void *length)'),
    socket: library.func('int socket(int domain, int type, int protocol)'),
    connect: library.func('int connect(int fd, const void *address, unsigned int length)'),
    send: sendFunction,
    bind: library.func('int bind(int fd, const void *address, unsigned int length)'),
    mkfifo: library.func('int mkfifo(const char *path, unsigned int mode)'),
    recv: library.func('long recv(int fd, void *data, size_t length, int flags)'),
    setsockopt: library.func(
      'int setsockopt(int fd, int level, int option, const void *value, unsigned int length)',
    ),
    setns: library.func('int setns(int fd, int kind)'),
    unshare: unshareFunction,
    fchdir: library.func('int fchdir(int fd)'),
    chroot: library.func('int chroot(const char *path)'),
    shutdown: library.func('int shutdown(int fd, int how)'),
    mknod: library.func('int mknod(const char *path, unsigned int mode, uint64_t device)'),
    lsetxattr: library.func(
      'int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags)',
    ),
    posix_openpt: library.func('int posix_openpt(int flags)'),
    grantpt: library.func('int grantpt(int fd)'),
    unlockpt: library.func('int unlockpt(int fd)'),
    ptsname_r: library.func('int ptsname_r(int fd, void *name, size_t length)'),
    memfd_create: library.func('int memfd_create(const char *name, unsigned int flags)'),
    fcntl: library.func('int fcntl(int fd, int operation, int argument)'),
    pipe2: library.func('int pipe2(void *descriptors, int flags)'),
    dup3: library.func('int dup3(int fd, int place, int flags)'),
    socketpair: library.func('int socketpair(int domain, int type, int protocol, void *descriptors)'),
    waitpid: library.func('int waitpid(int pid, void *status, int options)'),
    posix_spawn: library.func(
      'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **environment)',
    ),
    posix_spawn_file_actions_init: library.func('int posix_spawn_file_actions_init(void *actions)'),
    posix_spawn_file_actions_destroy: library.func('int posix_spawn_file_actions_destroy(void *actions)'),
    posix_spawn_file_actions_adddup2: library.func(
      'int posix_spawn_file_actions_adddup2(void *actions, int fd, int place)',
    ),
    posix_spawn_file_actions_addopen: library.func(
      'int posix_spawn_file_actions_addopen(void *actions, int place, const char *path, int flags, unsigned int mode)',
    ),
    posix_spawn_file_actions_addclose: library.func(
      'int posix_spawn_file_actions_addclose(void *actions, int fd)',
    ),
    posix_spawn_file_actions_addchdir_np: library.func(
      'int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)',
    ),
    posix_spawnattr_init: library.func('int posix_spawnattr_init(void *attributes)'),
    posix_spawnattr_destroy: library.func('int posix_spawnattr_destroy(void *attributes)'),
    posix_spawnattr_setflags: library.func('int posix_spawnattr_setflags(void *attributes, short flags)'),
    posix_spawnattr_setsigdefault: library.func(
      'int posix_spawnattr_setsigdefault(void *attributes, const void *signals)',
    ),
    posix_spawnattr_setsigmask: library.func(
      'int posix_spawnattr_setsigmask(void *attributes, const void *signals)',
    ),
    mmap: library.func(
      'void *mmap(void *address, size_t length, int protection, int flags, int fd, int64_t offset)',
    ),
    munmap: library.func('int munmap(void *address, size_t length)'),
    counterAt: (address) => {
      const type = koffi.proto('uint64_t (void)');
      return () => BigInt(koffi.call(address, type));
    },
    view: (address, length) => koffi.view(address, length),
  };
}

/** The result of a call, or its errno thrown. `subject` is what the call was about, for the message. */
export function checked(name: string, result: number, subject?: string): number {
  if (result >= 0) return result;
  throw new SystemError(name, libc().errno(), subject);
}

/** @throws SystemError */
export const ioctl = (fd: number, name: string, request: number, argument: Memory): number =>
  checked(name, libc().ioctl(fd, request, argument));

/** For calls that may wait for the disk: the daemon goes on meanwhile. @throws SystemError */
export async function ioctlElsewhere(
  fd: number,
  name: string,
  request: number,
  argument: Memory,
): Promise<void> {
  const errno = await libc().ioctlElsewhere(fd, request, argument);
  if (errno !== 0) throw new SystemError(name, errno);
}

/** send(2) of a datagram, in the same way. @throws SystemError */
export async function sendElsewhere(fd: number, data: Uint8Array, subject: string): Promise<void> {
  const errno = await libc().sendElsewhere(fd, data, data.length, 0);
  if (errno !== 0) throw new SystemError('send', errno, subject);
}

/** umount2(2), in the same way. @throws SystemError */
export async function umountElsewhere(target: string, flags: number): Promise<void> {
  const errno = await libc().umountElsewhere(target, flags);
  if (errno !== 0) throw new SystemError('umount2', errno, target);
}

/** unshare(2) of a thread that starts no programs. @throws SystemError */
export async function unshareElsewhere(flags: number, subject: string): Promise<void> {
  const errno = await libc().unshareElsewhere(flags);
  if (errno !== 0) throw new SystemError('unshare', errno, subject);
}

const RENAME_EXCHANGE = 2;
/** Swaps what two names lead to, in one step (rename(2)). @throws SystemError */
export const exchangeNames = (one: string, other: string): number =>
  checked(
    'renameat2',
    libc().renameat2(AT_FDCWD, one, AT_FDCWD, other, RENAME_EXCHANGE),
    `${one} and ${other}`,
  );

/** open_tree(2). @throws SystemError */
export const openTree = (path: string, flags: number): number =>
  checked(
    'open_tree',
    libc().syscall(SYS.open_tree, 'int', AT_FDCWD, 'const char *', path, 'unsigned int', flags),
    path,
  );

/** mount_setattr(2) on a descriptor of open_tree. @throws SystemError */
export const mountSetattr = (fd: number, attributes: Uint8Array, flags = 0): number =>
  checked(
    'mount_setattr',
    libc().syscall(
      SYS.mount_setattr,
      'int',
      fd,
      'const char *',
      '',
      'unsigned int',
      AT_EMPTY_PATH | flags,
      'void *',
      attributes,
      'size_t',
      attributes.length,
    ),
  );

const MOVE_MOUNT_F_EMPTY_PATH = 4;
/** move_mount(2) of a descriptor of open_tree onto a path. @throws SystemError */
export const moveMount = (fd: number, target: string): number =>
  checked(
    'move_mount',
    libc().syscall(
      SYS.move_mount,
      'int',
      fd,
      'const char *',
      '',
      'int',
      AT_FDCWD,
      'const char *',
      target,
      'unsigned int',
      MOVE_MOUNT_F_EMPTY_PATH,
    ),
    target,
  );

/** pidfd_open(2); closed on exec. @throws SystemError ESRCH */
export const pidfdOpen = (pid: number): number =>
  checked('pidfd_open', libc().syscall(SYS.pidfd_open, 'int', pid, 'unsigned int', 0), String(pid));

/** pidfd_send_signal(2). @throws SystemError ESRCH */
export const pidfdSendSignal = (pidfd: number, signal: number): number =>
  checked(
    'pidfd_send_signal',
    libc().syscall(SYS.pidfd_send_signal, 'int', pidfd, 'int', signal, 'void *', null, 'unsigned int', 0),
  );

const POLLFD_SIZE = 8;
const POLLIN = 1;
/** Which of these descriptors are readable at this moment, by position; poll(2) that never waits. */
export function readable(fds: readonly number[]): boolean[] {
  if (fds.length === 0) return [];
  const memory = Buffer.alloc(fds.length * POLLFD_SIZE);
  for (const [index, fd] of fds.entries()) {
    memory.writeInt32LE(fd, index * POLLFD_SIZE);
    memory.writeInt16LE(POLLIN, index * POLLFD_SIZE + 4);
  }
  // It answers EINTR even without a wait when a signal is due (signal(7)), such as of a child's end.
  while (libc().poll(memory, fds.length, 0) < 0) {
    const errno = libc().errno();
    if (errno !== constants.errno.EINTR) throw new SystemError('poll', errno);
  }
  return fds.map((_, index) => memory.readInt16LE(index * POLLFD_SIZE + 6) !== 0);
}

/** Memory that this process shares with a device; not to be touched once it is unmapped. */
export interface Mapping {
  readonly bytes: Buffer;
  unmap(): void;
}
const PROT_READ_WRITE = 3;
const MAP_SHARED = 1;
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;

/** mmap(2) for reading and writing. @throws SystemError */
export function mapShared(fd: number, length: number, offset: number): Mapping {
  const address = libc().mmap(null, length, PROT_READ_WRITE, MAP_SHARED, fd, offset);
  if (address === MAP_FAILED) throw new SystemError('mmap', libc().errno());
  return {
    bytes: Buffer.from(libc().view(address, length)),
    unmap: () => {
      checked('munmap', libc().munmap(address, length));
    },
  };
}
