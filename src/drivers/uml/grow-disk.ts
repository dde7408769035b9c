import { stat } from 'node:fs/promises';
import { MullionError } from '../../contract/errors.ts';
import type { Handle, Machine } from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { growPartition, growRoot } from '../guest-agent/guest-limits.ts';
import { diskFile, diskSize, growDiskFile } from '../guest-disk/disk.ts';
import { GUEST_DISK, GUEST_PARTITION, GUEST_ROOT } from './command-line.ts';

/** Lets a guest that runs have all of a larger disk. @throws MullionError when it cannot or does not take it */
export async function growDisk(
  machine: Machine,
  handle: Handle,
  agent: AgentChannel,
  limit: number,
): Promise<void> {
  if (diskSize(limit) <= (await stat(diskFile(machine))).size) return;
  if (handle.data.partitioned !== true) {
    throw new MullionError('not_supported', 'The VPS was started with a disk that does not grow.', {
      remedy: 'Stop it, set disk, and start it again',
    });
  }
  const { size } = await growDiskFile(machine, limit);
  await growPartition(agent, GUEST_DISK, GUEST_PARTITION, size);
  await growRoot(agent, GUEST_ROOT, size);
}
