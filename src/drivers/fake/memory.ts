import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { formatSize } from '../../contract/size-text.ts';
import type { Machine } from '../driver.ts';

const MemorySchema = z.strictObject({ bootId: z.string(), memory: z.number() });

const fileOf = (machine: Machine): string => join(machine.volume, 'memory.json');

/** Writes what the fake's memory holds into its volume. */
export function saveMemory(machine: Machine, bootId: string): void {
  const file = fileOf(machine);
  writeFileSync(`${file}.new`, JSON.stringify({ bootId, memory: machine.limits.memory }), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function readMemory(machine: Machine): z.infer<typeof MemorySchema> | undefined {
  try {
    return MemorySchema.parse(JSON.parse(readFileSync(fileOf(machine), 'utf8')));
  } catch {
    return undefined;
  }
}

export function dropMemory(machine: Machine): void {
  for (const file of [fileOf(machine), `${fileOf(machine)}.new`]) rmSync(file, { force: true });
}

/** Why what is saved does not fit the machine as it is now; undefined when it does, or nothing is. */
export function unfitness(machine: Machine): string | undefined {
  const saved = readMemory(machine);
  if (saved === undefined || saved.memory === machine.limits.memory) return undefined;
  return `it had ${formatSize(saved.memory)} of memory then`;
}
