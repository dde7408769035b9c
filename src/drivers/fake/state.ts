import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import type { Handle, Machine } from '../driver.ts';

const StateSchema = z.strictObject({
  condition: z.enum(['prepared', 'running', 'paused']),
  pid: z.number(),
  pidStart: z.number(),
  /** Milliseconds since the epoch; after it the machine is gone. */
  diesAt: z.number().nullable(),
  /** Its file systems are at rest. */
  frozen: z.boolean().default(false),
  /** It stands still, as its disk has no room. */
  stalled: z.boolean().default(false),
  /** Of this boot; stands for all that its memory holds. */
  bootId: z.string().default(''),
  /** Bytes that it was given as it ran; null: those that it began with. */
  memory: z.number().nullable().default(null),
});
export type FakeState = z.infer<typeof StateSchema>;
type NewState = z.input<typeof StateSchema>;

const FILE = 'fake.json';
const fileOf = (machine: Pick<Machine, 'runDirectory'>): string => join(machine.runDirectory, FILE);

/** What is on disk of a machine, as processes would be on a host; undefined when it is gone. */
export function readState(machine: Pick<Machine, 'runDirectory'>): FakeState | undefined {
  try {
    const state = StateSchema.parse(JSON.parse(readFileSync(fileOf(machine), 'utf8')));
    return state.diesAt !== null && state.diesAt <= Date.now() ? undefined : state;
  } catch {
    return undefined;
  }
}

export function writeState(machine: Pick<Machine, 'runDirectory'>, state: NewState): void {
  mkdirSync(machine.runDirectory, { recursive: true, mode: 0o700 });
  const file = fileOf(machine);
  writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function removeState(machine: Pick<Machine, 'runDirectory'>): void {
  rmSync(machine.runDirectory, { recursive: true, force: true });
}

/** Ids of machines that have a state file beside the run directory of one. */
export function idsBelow(parent: string): string[] {
  if (!existsSync(parent)) return [];
  return readdirSync(parent).filter((id) => existsSync(join(parent, id, FILE)));
}

export const isSame = (state: FakeState, handle: Handle): boolean =>
  state.pid === handle.pid && state.pidStart === handle.pidStart;
