import { createHash } from 'node:crypto';
import { NO_RATES } from '../../contract/rates.ts';
import { MIB } from '../../contract/sizes.ts';
import type { Technique } from '../../contract/techniques.ts';
import type { Limits } from '../../contract/vps.ts';

/** What two VPSs must have in common to start from one template. */
export interface TemplateNeeds {
  /** No page of memory is shared between tenants. */
  readonly project: string;
  readonly imageId: string;
  readonly technique: Technique;
  readonly limits: Limits;
  /** Of the driver: its program, the processor. */
  readonly basis: string;
}

/** Limits that a template has: those that a machine's hardware shows. */
export const templateLimits = ({ cpus, memory, disk, pids }: Limits): Limits => ({
  cpus: Math.max(1, Math.ceil(cpus)),
  memory: Math.floor(memory / MIB) * MIB,
  disk,
  pids,
  ...NO_RATES,
});

/** The same for all VPSs that may start from one template, and for no others. */
export function templateKey({ project, imageId, technique, limits, basis }: TemplateNeeds): string {
  const { cpus, memory, disk } = templateLimits(limits);
  const parts = [project, imageId, technique, cpus, memory, disk, basis];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}
