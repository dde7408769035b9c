import * as z from 'zod';

/** The five classic ways to virtualize a server, in the order of the glossary. */
export const TECHNIQUES = ['os', 'full', 'hardware', 'kernel', 'para'] as const;
export const TechniqueSchema = z.enum(TECHNIQUES);
export type Technique = z.infer<typeof TechniqueSchema>;

export const TechniqueChoiceSchema = z.enum(['auto', ...TECHNIQUES]);
export type TechniqueChoice = z.infer<typeof TechniqueChoiceSchema>;

export const DRIVERS = ['crun', 'qemu', 'uml', 'xen', 'fake'] as const;
export const DriverNameSchema = z.enum(DRIVERS);
export type DriverName = z.infer<typeof DriverNameSchema>;

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

/** What a driver can do with one technique on this host. The engine, CLI and page read this, never a driver's name. */
export const FeaturesSchema = z.object({
  exec: z.boolean(),
  tty: z.boolean(),
  console: z.boolean(),
  logs: z.boolean(),
  files: z.boolean(),
  pause: z.boolean(),
  gracefulStop: z.boolean(),
  liveMemory: z.boolean().describe('memory limit changes while running'),
  liveCpus: z.boolean(),
  livePids: z.boolean(),
  liveDisk: z.boolean().describe('disk limit grows while running'),
  fractionalCpus: z.boolean(),
  ownKernel: z.boolean(),
  environment: z.boolean().describe('--env reaches the first process'),
});
export type Features = z.infer<typeof FeaturesSchema>;
export type Feature = keyof Features;

export const TechniqueStateSchema = z
  .enum(['healthy', 'unhealthy', 'undetected'])
  .describe('healthy: proved to work here; unhealthy: present but does not work; undetected: not present');

export const TechniqueReportSchema = z.object({
  id: TechniqueSchema,
  name: z.string(),
  driver: DriverNameSchema,
  state: TechniqueStateSchema,
  reason: z.string().describe('one sentence'),
  evidence: z.array(z.string()).describe('what was probed and what it answered'),
  remedy: z.string().describe('what to do about it; empty when healthy'),
  features: FeaturesSchema.partial(),
});
export type TechniqueReport = z.infer<typeof TechniqueReportSchema>;
