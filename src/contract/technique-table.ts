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
}

export const TECHNIQUE_FACTS: Readonly<Record<Technique, TechniqueFacts>> = {
  os: {
    name: 'OS-level virtualization',
    driver: 'crun',
    summary: "system container: its own users, processes and network on the host's kernel",
  },
  full: {
    name: 'full virtualization',
    driver: 'qemu',
    summary: 'emulated machine: any guest kernel, on any processor, slow',
  },
  hardware: {
    name: 'hardware-assisted virtualization',
    driver: 'qemu',
    summary: "virtual machine on the processor's VT-x or AMD-V through KVM",
  },
  kernel: {
    name: 'kernel-level virtualization',
    driver: 'uml',
    summary: 'a Linux kernel that runs as a process of the host (User-Mode Linux)',
  },
  para: {
    name: 'para-virtualization',
    driver: 'xen',
    summary: 'a guest kernel that knows its hypervisor, on a Xen host',
  },
};
