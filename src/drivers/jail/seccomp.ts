import type { OciSeccomp, OciSeccompRule } from '../../host/oci/config.ts';
import { LIMIT_CALLS, limitRules } from '../../host/oci/core-files.ts';
import { ALLOWED } from '../system-calls/system-calls.ts';

const EPERM = 1;
const ENOSYS = 38;
const AF_UNIX = 1;

/** Of what a VPS may call: that of which no virtual machine has need. */
const DENIED: readonly string[] = [
  ...['mount', 'umount', 'umount2', 'pivot_root', 'open_tree', 'move_mount', 'mount_setattr', 'statmount'],
  ...['listmount', 'unshare', 'setns', 'sethostname', 'setdomainname', 'reboot', 'vhangup', 'chroot'],
  ...['name_to_handle_at', 'fanotify_init', 'fanotify_mark', 'ptrace', 'process_vm_readv', 'kcmp'],
  ...['process_vm_writev', 'process_madvise', 'process_mrelease', 'pidfd_getfd'],
];
/** Their arguments decide. clone3(2) has them in memory, out of a filter's sight: C libraries then call clone(2). */
const LOOKED_INTO: readonly string[] = ['clone', 'clone3', 'ioctl', 'socket', ...LIMIT_CALLS];

/** Flags of clone(2) that make namespaces, in which the caller would have every capability (<linux/sched.h>, CLONE_NEW*). */
const NEW_NAMESPACES = 0x7e02_0000;

/** Requests of ioctl(2) by some of their bits: the kind is the second byte, direction and size are above it (ioctl(2)). */
const KINDS: readonly { readonly mask: number; readonly bits: number }[] = [
  // Terminals, and what any descriptor has.
  { mask: 0xffff_ff00, bits: 0x0000_5400 },
  // Block devices.
  { mask: 0xffff_ff00, bits: 0x0000_1200 },
  // What a tap says of itself.
  { mask: 0xffff_ff00, bits: 0x8004_5400 },
  // KVM.
  { mask: 0xff00, bits: 0xae00 },
];
/**
 * Single requests. Of a tap (<linux/if_tun.h>) what a device model has to say. Not among them are those that give the
 * host's end another MAC, owner or kind, or have it outlive the machine: the kernel grants them to whoever holds the
 * descriptor.
 */
const REQUESTS: Readonly<Record<string, number>> = {
  ...{ TUNSETOFFLOAD: 0x4004_54d0, TUNSETSNDBUF: 0x4004_54d4, TUNSETVNETHDRSZ: 0x4004_54d8 },
  ...{ TUNSETVNETLE: 0x4004_54dc, TUNSETVNETBE: 0x4004_54de },
  ...{ FICLONE: 0x4004_9409, FS_IOC_GETFLAGS: 0x8008_6601, FS_IOC_FIEMAP: 0xc020_660b },
  ...{ BLKGETSIZE64: 0x8008_1272 },
};
const WHOLE = 0xffff_ffff;

/**
 * Filter of system calls for a process that is a virtual machine: what a VPS may call, without what no machine needs; no
 * socket but of this host, no namespace, and no request to a device that is not known to be needed.
 * @param needs of the denied calls
 */
export function jailSeccomp(needs: readonly string[]): OciSeccomp {
  const denied = DENIED.filter((name) => !needs.includes(name));
  const open = Object.values(ALLOWED)
    .flat()
    .filter((name) => !denied.includes(name) && !LOOKED_INTO.includes(name));
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: ENOSYS,
    architectures: ['SCMP_ARCH_X86_64'],
    syscalls: [
      { names: open, action: 'SCMP_ACT_ALLOW' },
      { names: denied, action: 'SCMP_ACT_ERRNO', errnoRet: EPERM },
      ...limitRules(),
      when('clone', 0, NEW_NAMESPACES, 0),
      when('socket', 0, WHOLE, AF_UNIX),
      ...KINDS.map(({ mask, bits }) => when('ioctl', 1, mask, bits)),
      ...Object.values(REQUESTS).map((request) => when('ioctl', 1, WHOLE, request)),
    ],
  };
}

/** Allows a call when the bits `mask` of an argument are `bits`. */
const when = (name: string, index: number, mask: number, bits: number): OciSeccompRule => ({
  names: [name],
  action: 'SCMP_ACT_ALLOW',
  args: [{ index, value: mask, valueTwo: bits, op: 'SCMP_CMP_MASKED_EQ' }],
});
