import { open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { hasCode } from '../../host/system-error.ts';
import type { Machine } from '../driver.ts';
import { ShapeSchema } from '../guest-disk/shape.ts';
import { machinePaths } from './paths.ts';

/** What a machine and its host have to be so that its saved memory fits; sizes in bytes. */
export const MemoryHeaderSchema = z.strictObject({
  version: z.literal(1),
  type: z.enum(['pv', 'pvh']),
  xen: z.string().max(200),
  processor: z.string().max(200),
  maximumCpus: z.number().int().positive(),
  ...ShapeSchema.shape,
});
export type MemoryHeader = z.infer<typeof MemoryHeaderSchema>;

/**
 * What is told of the memory in the volume; undefined when there is none. The guest sees its disk alone, and not the volume.
 * @throws MullionError `command_failed` when it cannot be read
 */
export async function readMemoryHeader(machine: Machine): Promise<MemoryHeader | undefined> {
  try {
    return MemoryHeaderSchema.parse(JSON.parse(await readFile(machinePaths(machine).memoryHeader, 'utf8')));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new MullionError('command_failed', 'The saved memory is damaged.', { cause });
  }
}

/** Takes out of the volume what is saved there, and what is half written. */
export async function dropSavedMemory(machine: Machine): Promise<void> {
  const { memory, memoryHeader } = machinePaths(machine);
  for (const path of [memoryHeader, `${memoryHeader}.new`, memory]) await rm(path, { force: true });
}

/** Has `fill` write the memory's file; the whole is there, and durable, or nothing is. */
export async function writeSavedMemory(
  machine: Machine,
  header: MemoryHeader,
  fill: (path: string) => Promise<void>,
): Promise<void> {
  const { memory, memoryHeader } = machinePaths(machine);
  await dropSavedMemory(machine);
  try {
    await writeFile(memory, '', { mode: 0o600 });
    await fill(memory);
    await writeFile(`${memoryHeader}.new`, JSON.stringify(header), { mode: 0o600 });
    for (const path of [memory, `${memoryHeader}.new`]) await makeDurable(path);
    await rename(`${memoryHeader}.new`, memoryHeader);
  } catch (failure) {
    await dropSavedMemory(machine);
    throw failure;
  }
}

async function makeDurable(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}
