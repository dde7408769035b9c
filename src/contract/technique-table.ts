/** The five classic ways to virtualize a server, in the order of the glossary. */
export const TECHNIQUES = ['os', 'full', 'hardware', 'kernel', 'para'] as const;
export type Technique = (typeof TECHNIQUES)[number];
export const TECHNIQUE_CHOICES = ['auto', ...TECHNIQUES] as const;
export type TechniqueChoice = (typeof TECHNIQUE_CHOICES)[number];

/** What a person may want of a technique without naming one. */
export const WISHES = ['own-kernel', 'display', 'density', 'isolation'] as const;
export type Wish = (typeof WISHES)[number];

export const DRIVERS = ['crun', 'qemu', 'uml', 'xen', 'fake'] as const;
export type DriverName = (typeof DRIVERS)[number];

export interface TechniqueFacts {
  readonly name: string;
  readonly driver: DriverName;
  readonly summary: string;
  readonly advantages: string;
  readonly limits: string;
}

export const TECHNIQUE_FACTS: Readonly<Record<Technique, TechniqueFacts>> = {
  os: {
    name: 'OS-level virtualization',
    driver: 'crun',
    summary: "system container: its own users, processes and network on the host's kernel",
    advantages:
      'Starts in a fraction of a second, runs at the speed of the host, and costs the memory that its programs use.',
    limits:
      "Shares the host's kernel: no other kernel, no modules of its own, and a hole in that kernel is a hole in the isolation.",
  },
  full: {
    name: 'full virtualization',
    driver: 'qemu',
    summary: 'emulated machine: any guest kernel, on any processor, slow',
    advantages:
      'Any operating system, unmodified, on any processor and without help of the hardware; the isolation of a whole machine.',
    limits:
      'Every instruction of the guest is translated: the slowest in all that computes, and each guest holds memory of its own.',
  },
  hardware: {
    name: 'hardware-assisted virtualization',
    driver: 'qemu',
    summary: "virtual machine on the processor's VT-x or AMD-V through KVM",
    advantages: 'Any operating system at almost the speed of the host, and the isolation of a whole machine.',
    limits:
      'Needs a processor with VT-x or AMD-V that the host may use, and each guest holds memory of its own.',
  },
  kernel: {
    name: 'kernel-level virtualization',
    driver: 'uml',
    summary: 'a Linux kernel that runs as a process of the host (User-Mode Linux)',
    advantages:
      'A kernel of its own without help of the hardware or rights on the host; its programs compute at the speed of the host.',
    limits:
      'Each system call and each new process goes through another process, which is slow; one processor; Linux alone; what a guest flushes to its disk may still wait in the cache of the host.',
  },
  para: {
    name: 'para-virtualization',
    driver: 'xen',
    summary: 'a guest kernel that knows its hypervisor, on a Xen host',
    advantages:
      'A kernel of its own near the speed of the host, without help of the hardware; a small hypervisor stands between guests.',
    limits: "The guest's kernel must know the hypervisor, and the host must boot under Xen.",
  },
};
