/*
 * Preloaded into linux.uml, which it helps in four things.
 *
 * ptrace: User-Mode Linux before 6.13 keeps 2696 bytes of a process's extended registers, which hold all of them but AMX;
 * a host whose processor has AMX keeps more, and its ptrace(2) refuses to set fewer than all (Linux,
 * arch/x86/kernel/fpu/regset.c, xstateregs_set). This completes what User-Mode Linux sets with the initial state of the
 * rest: its guests cannot use AMX, as the host grants that to a process only on its request (arch_prctl(2),
 * ARCH_REQ_XCOMP_PERM), which never leaves the guest. Elsewhere it changes nothing.
 *
 * kill: a kernel that panics sends itself SIGABRT until it has ended (Linux, arch/um/os-Linux/util.c, uml_abort). The first
 * process of a namespace cannot be ended so (pid_namespaces(7)), and would try for ever: it exits instead.
 *
 * stat64, pwrite64, fallocate64: User-Mode Linux takes the size of a disk when it starts, and has no way to change it. It is
 * told a size that no disk has, and gives its guest a part of that as a partition, which can grow (command-line.ts). What
 * would be written behind the end of any file finds no space, so that the file stays as large as the guest's limit. A guest
 * that restarts executes the program anew, with its first arguments: the size among them is made that of the file.
 *
 * pwrite64 again: where the host has no space left for what the guest writes within its disk, it waits until it has,
 * instead of an I/O error that ends the guest's file system. User-Mode Linux calls it in a process of its own, so that the
 * guest's kernel goes on. A file in its folder of sockets is there meanwhile, for who looks after it.
 *
 * gcc -O2 -fPIC -shared -nostdlib -fno-stack-protector -fno-tree-loop-distribute-patterns -mno-sse \
 *   -fno-asynchronous-unwind-tables -fcf-protection=none -Wl,-z,noseparate-code -Wl,--hash-style=gnu \
 *   -Wl,--build-id=none -s -o preload.so preload.c
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* As in paths.ts and command-line.ts. */
#define DISK "/volume/disk.raw"
#define DISK_SIZE (1L << 50)
#define PARTITION "blkdevparts=ubda:0x"
#define DIGITS 16
#define SOCKETS "uml_dir="
#define FULL "/full"
#define LONGEST_PATH 4096
#define RETRY_NANOSECONDS 250000000

#define SYSCALL_CLOSE 3
#define SYSCALL_STAT 4
#define SYSCALL_FSTAT 5
#define SYSCALL_PWRITE 18
#define SYSCALL_NANOSLEEP 35
#define SYSCALL_GETPID 39
#define SYSCALL_KILL 62
#define SYSCALL_PTRACE 101
#define SYSCALL_EXIT_GROUP 231
#define SYSCALL_OPENAT 257
#define SYSCALL_UNLINKAT 263
#define SYSCALL_FALLOCATE 285
#define FIRST_PROCESS 1
#define ABORTED (128 + SIGABRT)
#define PTRACE_PEEKTEXT 1
#define PTRACE_PEEKUSER 3
#define PTRACE_SETREGSET 0x4205
#define NT_X86_XSTATE 0x202
#define XSTATE_LEAF 0xd
/* Which components are set: at this offset of the area (Intel SDM, volume 1, "XSAVE Header"). */
#define XSTATE_BV 512
#define WIDEST 16384

static long call(long number, long first, long second, long third, long data)
{
  long result;
  register long fourth __asm__("r10") = data;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second), "d"(third), "r"(fourth)
                   : "rcx", "r11", "memory");
  return result;
}

/* As a C library's wrapper of a system call returns. */
static long wrapped(long result)
{
  if (result >= 0) return result;
  errno = -result;
  return -1;
}

/* Bytes of all registers that the host has switched on. */
static unsigned hostSize(void)
{
  unsigned a = XSTATE_LEAF, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return b;
}

/* Not on the stack: that of a thread in User-Mode Linux has 16 KiB in all. Only its one kernel thread sets registers. */
static unsigned char area[WIDEST] __attribute__((aligned(64)));

long ptrace(int request, int pid, unsigned long address, unsigned long data)
{
  const int peeks = request >= PTRACE_PEEKTEXT && request <= PTRACE_PEEKUSER;
  struct iovec complete;
  long word, result;
  if (request == PTRACE_SETREGSET && address == NT_X86_XSTATE) {
    const struct iovec *given = (const struct iovec *)data;
    const unsigned size = hostSize();
    if (given->iov_len < size && size <= WIDEST) {
      unsigned long index, kept = 0x3ff;
      for (index = 0; index < size; index++)
        area[index] = index < given->iov_len ? ((const unsigned char *)given->iov_base)[index] : 0;
      *(unsigned long *)(area + XSTATE_BV) &= kept;
      complete.iov_base = area;
      complete.iov_len = size;
      data = (unsigned long)&complete;
    }
  }
  if (peeks) data = (unsigned long)&word;
  result = call(SYSCALL_PTRACE, request, pid, address, data);
  if (result < 0 || !peeks) return wrapped(result);
  errno = 0;
  return word;
}

int kill(pid_t pid, int number)
{
  if (number == SIGABRT && pid == FIRST_PROCESS && call(SYSCALL_GETPID, 0, 0, 0, 0) == pid)
    call(SYSCALL_EXIT_GROUP, ABORTED, 0, 0, 0);
  return wrapped(call(SYSCALL_KILL, pid, number, 0, 0));
}

/* How many of the first characters of both are the same, `most` at most. */
static unsigned long sameStart(const char *one, const char *other, unsigned long most)
{
  unsigned long index = 0;
  while (index < most && one[index] == other[index]) index++;
  return index;
}

int stat64(const char *path, struct stat64 *status)
{
  const long result = call(SYSCALL_STAT, (long)path, (long)status, 0, 0);
  const int isDisk = sameStart(path, DISK, sizeof(DISK)) == sizeof(DISK);
  if (result == 0 && isDisk && status->st_size < DISK_SIZE) status->st_size = DISK_SIZE;
  return wrapped(result);
}

/* The file that is there while a write waits for space; empty when nobody is to know. */
static char full[LONGEST_PATH];

static void nameFull(const char *sockets)
{
  unsigned long length = 0, index;
  while (length < LONGEST_PATH - sizeof(FULL) && sockets[length] != 0) {
    full[length] = sockets[length];
    length++;
  }
  for (index = 0; index < sizeof(FULL); index++) full[length + index] = FULL[index];
}

static void tellFull(int isFull)
{
  long fd;
  if (full[0] == 0) return;
  if (!isFull) {
    call(SYSCALL_UNLINKAT, AT_FDCWD, (long)full, 0, 0);
    return;
  }
  fd = call(SYSCALL_OPENAT, AT_FDCWD, (long)full, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd >= 0) call(SYSCALL_CLOSE, fd, 0, 0, 0);
}

/* Before the program itself. */
__attribute__((constructor)) static void readArguments(int count, char **arguments)
{
  const unsigned long start = sizeof(PARTITION) - 1;
  struct stat64 status;
  int index, digit;
  for (index = 1; index < count; index++) {
    if (sameStart(arguments[index], SOCKETS, sizeof(SOCKETS) - 1) < sizeof(SOCKETS) - 1) continue;
    nameFull(arguments[index] + sizeof(SOCKETS) - 1);
  }
  /* A guest that restarted while it waited. */
  tellFull(0);
  if (call(SYSCALL_STAT, (long)DISK, (long)&status, 0, 0) < 0) return;
  for (index = 1; index < count; index++) {
    if (sameStart(arguments[index], PARTITION, start) < start) continue;
    for (digit = 0; digit < DIGITS; digit++)
      arguments[index][start + digit] = "0123456789abcdef"[status.st_size >> 4 * (DIGITS - 1 - digit) & 15];
  }
}

/* What the call answers once it does not answer that there is no space. */
static long writeWithSpace(long fd, long data, long length, long offset)
{
  const struct timespec pause = {0, RETRY_NANOSECONDS};
  long result = call(SYSCALL_PWRITE, fd, data, length, offset);
  if (result != -ENOSPC) return result;
  tellFull(1);
  while (result == -ENOSPC) {
    call(SYSCALL_NANOSLEEP, (long)&pause, 0, 0, 0);
    result = call(SYSCALL_PWRITE, fd, data, length, offset);
  }
  tellFull(0);
  return result;
}

/* A disk's file never gets shorter while it is open: what was within it once is so again, without asking. */
static int knownFile = -1;
static off64_t knownEnd;

static int isBehindEnd(int fd, off64_t offset, off64_t length)
{
  struct stat64 status;
  if (fd == knownFile && length <= knownEnd - offset) return 0;
  if (call(SYSCALL_FSTAT, fd, (long)&status, 0, 0) < 0) return 0;
  knownEnd = status.st_size;
  knownFile = fd;
  return length > knownEnd - offset;
}

ssize_t pwrite64(int fd, const void *data, size_t length, off64_t offset)
{
  if (isBehindEnd(fd, offset, length)) return wrapped(-ENOSPC);
  return wrapped(writeWithSpace(fd, (long)data, length, offset));
}

int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
  if (isBehindEnd(fd, offset, length)) return wrapped(-ENOSPC);
  return wrapped(call(SYSCALL_FALLOCATE, fd, mode, offset, length));
}
