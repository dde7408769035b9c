import type { OciSeccomp, OciSeccompRule } from '../../host/oci/config.ts';

const EPERM = 1;
const ENOSYS = 38;
const EAFNOSUPPORT = 97;
/** socket(2): sockets to the host's hypervisor, and the kernel's cryptography. */
const AF_VSOCK = 40;
const AF_ALG = 38;

/**
 * What a whole operating system in a container has no need of and an attacker has: all that is not namespaced, and what
 * gave the kernel most of its holes. Everything else is allowed, as any software may run in a VPS; capabilities hold in
 * the VPS's own user namespace only.
 */
const FORBIDDEN: readonly string[] = [
  // The kernel's code and its replacement.
  ...['kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module', 'create_module'],
  // Programs inside the kernel, and looking into it.
  ...['bpf', 'perf_event_open', 'userfaultfd', 'lookup_dcookie', 'syslog'],
  // Files by handle go round the mount namespace.
  'open_by_handle_at',
  // The host's swap, accounting, quota, clock and ports.
  ...['swapon', 'swapoff', 'acct', 'quotactl', 'quotactl_fd', 'clock_settime', 'settimeofday', 'stime'],
  ...['iopl', 'ioperm', 'vm86', 'vm86old', 'nfsservctl'],
  // Other processes' memory policy.
  ...['move_pages', 'migrate_pages'],
];

/** Answered as by a kernel without them, so that programs take their other way: keyrings are not namespaced. */
const ABSENT: readonly string[] = [
  ...['add_key', 'request_key', 'keyctl'],
  ...['io_uring_setup', 'io_uring_enter', 'io_uring_register'],
  ...['uselib', 'ustat', 'sysfs', '_sysctl', 'get_kernel_syms', 'query_module'],
];

const ARCHITECTURES: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  // Without SCMP_ARCH_X32: its second set of numbers is not needed.
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

const socketFamily = (family: number): OciSeccompRule => ({
  names: ['socket'],
  action: 'SCMP_ACT_ERRNO',
  errnoRet: EAFNOSUPPORT,
  args: [{ index: 0, value: family, op: 'SCMP_CMP_EQ' }],
});

/** Filter of system calls (seccomp(2)) for a VPS on a processor of this kind. */
export function seccompProfile(architecture: NodeJS.Architecture): OciSeccomp {
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: ARCHITECTURES[architecture] ?? [],
    syscalls: [
      { names: FORBIDDEN, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      { names: ABSENT, action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS },
      socketFamily(AF_VSOCK),
      socketFamily(AF_ALG),
    ],
  };
}
