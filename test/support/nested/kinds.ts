/** A host that is built and booted inside QEMU's emulation, to test what this machine's processor cannot do. */
export interface NestedKind {
  readonly name: string;
  /** Debian packages besides those of Mullion and of every nested host. */
  readonly packages: readonly string[];
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryMib: number;
  /** With these parameters, Xen is booted, and Linux as its domain 0. */
  readonly hypervisor: string | undefined;
  /** Parameters of its Linux kernel. */
  readonly kernel: string;
  /** Ends with 0 once the host is what it shall be. */
  readonly proof: string;
}

const DOMAIN_0_MIB = 640;
/** A processor that emulates itself needs no defence, and would pay for it with each entry into the kernel. */
const QUICK = 'root=/dev/vda rw net.ifnames=0 mitigations=off nokaslr audit=0';
/** On a busy machine a service takes minutes: one that is ended for that starts anew, and the host never comes up. */
const PATIENT = 'systemd.default_timeout_start_sec=900 systemd.service_watchdogs=0';

export const NESTED_KINDS = {
  /** Its processor has AMD-V, so that its KVM runs ordinary guests. */
  kvm: {
    name: 'kvm',
    packages: [],
    cpu: 'EPYC,+svm,+npt',
    cpus: 1,
    memoryMib: 1536,
    hypervisor: undefined,
    kernel: `console=ttyS0 quiet ${QUICK} ${PATIENT}`,
    proof: 'test -c /dev/kvm',
  },
  /** Its Linux is the domain 0 of Xen. */
  xen: {
    name: 'xen',
    packages: ['xen-hypervisor-4.17-amd64', 'xen-utils-4.17'],
    cpu: 'qemu64',
    cpus: 1,
    memoryMib: 1408,
    hypervisor: [
      'com1=115200,8n1 console=com1 noreboot loglvl=warning guest_loglvl=warning',
      `dom0_mem=${DOMAIN_0_MIB}M,max:${DOMAIN_0_MIB}M dom0_max_vcpus=1`,
    ].join(' '),
    kernel: `console=hvc0 quiet ${QUICK} ${PATIENT}`,
    proof: 'xl list',
  },
} as const satisfies Record<string, NestedKind>;

/** The host of a technique that needs one of its own. */
export const HOST_OF = { hardware: NESTED_KINDS.kvm, para: NESTED_KINDS.xen } as const;

/** The same domain 0 on a processor that runs HVM guests with nested page tables, so that Mullion's guests are PVH. */
export const XEN_WITH_HVM: NestedKind = { ...NESTED_KINDS.xen, cpu: 'qemu64,+svm,+npt' };
