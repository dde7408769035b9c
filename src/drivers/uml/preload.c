/*
 * Preloaded into linux.uml, which it helps in two things.
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
 * gcc -O2 -fPIC -shared -nostdlib -fno-stack-protector -fno-tree-loop-distribute-patterns -mno-sse \
 *   -fno-asynchronous-unwind-tables -fcf-protection=none -Wl,-z,noseparate-code -Wl,--hash-style=gnu \
 *   -Wl,--build-id=none -s -o preload.so preload.c
 */
#include <errno.h>
#include <signal.h>
#include <sys/uio.h>

#define SYSCALL_GETPID 39
#define SYSCALL_KILL 62
#define SYSCALL_PTRACE 101
#define SYSCALL_EXIT_GROUP 231
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
  if (result < 0) {
    errno = -result;
    return -1;
  }
  if (!peeks) return result;
  errno = 0;
  return word;
}

int kill(pid_t pid, int number)
{
  long result;
  if (number == SIGABRT && pid == FIRST_PROCESS && call(SYSCALL_GETPID, 0, 0, 0, 0) == pid)
    call(SYSCALL_EXIT_GROUP, ABORTED, 0, 0, 0);
  result = call(SYSCALL_KILL, pid, number, 0, 0);
  if (result >= 0) return 0;
  errno = -result;
  return -1;
}
