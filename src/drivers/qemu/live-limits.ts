import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { DiskRates } from '../../contract/rates.ts';
import type { Machine } from '../driver.ts';
import type { AgentChannel } from '../guest-agent/agent-channel.ts';
import { bringProcessorsOnline, growRoot, processors } from '../guest-agent/guest-limits.ts';
import type { QmpClient } from './qmp.ts';
import { makeTranslationRoom } from './translation-room.ts';

const AnySchema = z.unknown();
const BlocksSchema = z.array(
  z.object({
    qdev: z.string().optional(),
    inserted: z.object({ 'node-name': z.string().optional() }).optional(),
  }),
);
const SlotsSchema = z.array(
  z.object({ type: z.string(), props: z.record(z.string(), z.number()), 'qom-path': z.string().optional() }),
);

/**
 * Plugs in processors until there are as many as `cpus` needs. They are never taken out: a guest may refuse that, and
 * the share of time is limited all the same.
 * @throws MullionError `insufficient_cpus` beyond what the machine was started with room for
 */
export async function plugProcessors(
  machine: Machine,
  monitor: QmpClient,
  agent: AgentChannel,
  cpus: number,
): Promise<void> {
  const slots = await monitor.execute('query-hotpluggable-cpus', {}, SlotsSchema);
  const free = slots.filter((slot) => slot['qom-path'] === undefined);
  const missing = processors(cpus) - (slots.length - free.length);
  if (missing <= 0) return;
  if (missing > free.length) {
    throw new MullionError(
      'insufficient_cpus',
      `The VPS can have ${slots.length} processors while it runs.`,
      {
        remedy: 'Stop it, set cpus, and start it again',
      },
    );
  }
  const chosen = free.reverse().slice(0, missing);
  for (const [index, { type, props }] of chosen.entries()) {
    const present = slots.length - free.length + index;
    if (machine.technique === 'full')
      await makeTranslationRoom(machine, monitor, agent, present, slots.length);
    const id = `cpu-${Object.values(props).join('-')}`;
    await monitor.execute('device_add', { driver: type, id, ...props }, AnySchema);
  }
  await bringProcessorsOnline(agent, cpus);
}

/**
 * Limits what the guest asks of its disk, before the page cache of the host: what it writes counts, whoever writes it to
 * the disk below in the end (QEMU, docs/throttle.txt).
 */
export async function throttleDisk(monitor: QmpClient, rates: DiskRates): Promise<void> {
  const both = { bps: 0, iops: 0 };
  const bytes = { bps_rd: rates.diskReadRate, bps_wr: rates.diskWriteRate };
  const operations = { iops_rd: rates.diskReadOps, iops_wr: rates.diskWriteOps };
  // The back end of a virtio device is not found by the device's own name.
  const blocks = await monitor.execute('query-block', {}, BlocksSchema);
  const id = blocks.find(({ inserted }) => inserted?.['node-name'] === 'disk')?.qdev;
  await monitor.execute('block_set_io_throttle', { id, ...both, ...bytes, ...operations }, AnySchema);
}

/** Tells QEMU of the larger file, and the guest's file system of the larger disk, where an agent is there to do it. */
export async function growDisk(
  monitor: QmpClient,
  agent: AgentChannel | undefined,
  size: number,
): Promise<void> {
  await monitor.execute('block_resize', { 'node-name': 'disk', size }, AnySchema, 30_000);
  if (agent !== undefined) await growRoot(agent, '/dev/vda', size);
}
