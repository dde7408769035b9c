import * as z from 'zod';
import { DRIVERS, TECHNIQUE_CHOICES, TECHNIQUES, WISHES } from './technique-table.ts';

export * from './technique-table.ts';

export const TechniqueSchema = z.enum(TECHNIQUES);
export const TechniqueChoiceSchema = z.enum(TECHNIQUE_CHOICES);
export const WishSchema = z.enum(WISHES);
export const DriverNameSchema = z.enum(DRIVERS);

/** What a driver can do with one technique on this host. The engine, CLI and page read this, never a driver's name. */
export const FeaturesSchema = z.object({
  exec: z.boolean(),
  tty: z.boolean(),
  console: z.boolean(),
  logs: z.boolean(),
  files: z.boolean(),
  pause: z.boolean(),
  savedMemory: z.boolean().describe('a snapshot can keep its memory'),
  warmStart: z.boolean().describe('it can start from the memory of one that has booted'),
  gracefulStop: z.boolean(),
  liveMemory: z.boolean().describe('memory limit changes while running'),
  liveCpus: z.boolean(),
  livePids: z.boolean(),
  liveDisk: z.boolean().describe('disk limit grows while running'),
  diskRates: z.boolean().describe('what it reads and writes a second can be limited'),
  liveDiskRates: z.boolean().describe('these limits change while running'),
  fractionalCpus: z.boolean(),
  severalCpus: z.boolean().describe('the guest can have more than one processor'),
  ownKernel: z.boolean(),
  resourcesApart: z
    .boolean()
    .describe("its memory and processors are a hypervisor's, of which this system sees only its own part"),
  environment: z.boolean().describe('--env reaches the first process'),
  health: z.boolean().describe('tells when the guest is ready'),
  display: z.boolean().describe('has a screen to look at'),
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
  memoryFree: z
    .number()
    .int()
    .nonnegative()
    .optional()
    .describe('bytes that its guests may still have, where their memory is a hypervisor’s'),
});
export type TechniqueReport = z.infer<typeof TechniqueReportSchema>;
