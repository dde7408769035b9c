import { stat } from 'node:fs/promises';
import { MIB } from '../../contract/sizes.ts';
import { processorIdentity } from '../../host/virtualization.ts';
import type { Machine } from '../driver.ts';
import { processors } from '../guest-agent/guest-limits.ts';
import { diskFile } from '../guest-disk/disk.ts';
import { differencesOfShape, shapeOf } from '../guest-disk/shape.ts';
import type { Domain } from './domains.ts';
import { guestType } from './guest-type.ts';
import { type GuestType, mostProcessors } from './render.ts';
import type { MemoryHeader } from './saved-memory.ts';
import { hypervisorInfo } from './toolstack.ts';

/** What a domain needs of its host besides its own shape. */
export interface MemoryHost {
  readonly type: GuestType;
  readonly xen: string;
  readonly processor: string;
  readonly cpus: number;
}

async function memoryHost(): Promise<MemoryHost> {
  const { version, virtCaps, cpus } = await hypervisorInfo();
  return { type: guestType(virtCaps), xen: version, processor: processorIdentity(), cpus };
}

/**
 * What the domain is now: some of it may differ from its limits until it starts again. A guest's memory may be off its
 * aim by a little, so that the aim counts. @param memoryKib its aim
 */
export async function describeDomain(
  machine: Machine,
  domain: Domain,
  memoryKib: number,
  maximumCpus: number,
): Promise<MemoryHeader> {
  const { type, xen, processor } = await memoryHost();
  return {
    version: 1,
    type,
    xen,
    processor,
    memory: Math.floor((memoryKib * 1024) / MIB) * MIB,
    cpus: domain.cpus,
    maximumCpus,
    disk: (await stat(diskFile(machine))).size,
    nics: machine.nics.length,
  };
}

/** Why memory with this header cannot be gone on from as the machine is now; undefined when it can. */
export async function whyUnfit(machine: Machine, header: MemoryHeader): Promise<string | undefined> {
  return differences(machine, header, await memoryHost())[0];
}

export function differences(
  machine: Pick<Machine, 'limits' | 'nics'>,
  header: MemoryHeader,
  host: MemoryHost,
): string[] {
  const most = mostProcessors(processors(machine.limits.cpus), host.cpus);
  return [
    ...(header.xen === host.xen ? [] : [`it was saved by Xen ${header.xen}, and here is ${host.xen}`]),
    ...(header.processor === host.processor ? [] : ['it was saved on a processor of another kind']),
    ...(header.type === host.type ? [] : [`it was saved as ${header.type}, and would be ${host.type} now`]),
    ...differencesOfShape(header, shapeOf(machine)),
    ...(header.maximumCpus === most
      ? []
      : [`it had room for ${header.maximumCpus} processors then, and has room for ${most} now`]),
  ];
}
