import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { formatSize } from '../../contract/size-text.ts';
import { MIB } from '../../contract/sizes.ts';
import type { Limits } from '../../contract/vps.ts';
import { loopDevicesOf, refreshLoopSize } from '../../host/loops.ts';
import type { Machine } from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { bringProcessorsOnline, growRoot, limitThreads, processors } from '../guest-agent/guest-limits.ts';
import { diskFile, growDiskFile } from '../guest-disk/disk.ts';
import type { Domain } from './domains.ts';
import { requireMemory } from './prepare.ts';
import { cpuCap, GUEST_DISK, mebibytes } from './render.ts';
import { hypervisorInfo, setDomainCap, setDomainMemory, setDomainProcessors } from './toolstack.ts';

/** How long a guest may take to give memory back or to take it. */
const BALLOON_MS = 15_000;
/** What a guest may be off its aim. */
const SLACK_MIB = 4;

export interface Change {
  /** As it was started. */
  readonly machine: Machine;
  readonly domain: Domain;
  readonly agent: AgentChannel;
  readonly limits: Limits;
  /** Memory that it may have while it runs, in bytes. */
  readonly mostMemory: number;
  /** Processors that it may have while it runs. */
  readonly mostCpus: number;
  readonly find: () => Promise<Domain | undefined>;
}

/** @throws MullionError when the guest or the host does not give what was asked; earlier parts stay changed */
export async function setLimits(change: Change): Promise<void> {
  const { machine, domain, agent, limits, mostCpus } = change;
  const { scheduler, freeMemoryMib } = await hypervisorInfo();
  await setMemory(change, freeMemoryMib);
  const wanted = processors(limits.cpus);
  if (wanted !== domain.cpus) {
    if (wanted > mostCpus) {
      throw new MullionError('insufficient_cpus', `The VPS can have ${mostCpus} processors while it runs.`, {
        remedy: 'Stop it, set cpus, and start it again',
        details: { asked: wanted, available: mostCpus },
      });
    }
    await setDomainProcessors(domain.name, wanted);
    if (wanted > domain.cpus) await bringProcessorsOnline(agent, limits.cpus);
  }
  await setDomainCap(domain.name, scheduler, cpuCap(limits.cpus));
  const { size, hasGrown } = await growDiskFile(machine, limits.disk);
  if (hasGrown) {
    for (const device of await loopDevicesOf(diskFile(machine))) await refreshLoopSize(device);
    await growRoot(agent, GUEST_DISK, size);
  }
  await limitThreads(agent, limits);
}

async function setMemory({ domain, limits, mostMemory: most, find }: Change, freeMib: number): Promise<void> {
  const aim = mebibytes(limits.memory);
  if (aim === domain.memoryMib) return;
  if (limits.memory > most) {
    throw new MullionError('insufficient_memory', `The VPS can have ${formatSize(most)} while it runs.`, {
      remedy: 'Stop it, set memory, and start it again',
      details: { asked: limits.memory, available: most },
    });
  }
  if (aim > domain.memoryMib) requireMemory(aim - domain.memoryMib, freeMib);
  await setDomainMemory(domain.name, aim);
  for (const deadline = performance.now() + BALLOON_MS; ; await sleep(200)) {
    const memory = (await find())?.memoryMib;
    if (memory === undefined || Math.abs(memory - aim) <= SLACK_MIB) return;
    if (performance.now() < deadline) continue;
    throw new MullionError(
      'command_failed',
      `The guest has ${formatSize(memory * MIB)} of memory and does not go to ${formatSize(limits.memory)}.`,
      { remedy: 'Stop it, set memory, and start it again' },
    );
  }
}
