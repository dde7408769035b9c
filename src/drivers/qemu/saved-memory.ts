import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { TechniqueSchema } from '../../contract/techniques.ts';
import { hasCode } from '../../host/system-error.ts';
import type { Machine } from '../driver.ts';
import { ShapeSchema } from '../guest-disk/shape.ts';
import { machinePaths } from './paths.ts';

/** The header is the file's first line, no longer than this. */
const HEADER_LIMIT = 4096;

/** What a machine has to be so that its saved memory fits; sizes in bytes. */
export const MemoryHeaderSchema = z.strictObject({
  version: z.literal(1),
  technique: TechniqueSchema,
  /** The guest's memory lies in a file of its own, to be mapped; without links, as an identity is to be given. */
  template: z.boolean(),
  /** Of QEMU, with its package's. */
  qemu: z.string().max(200),
  processor: z.string().max(200),
  maximumCpus: z.number().int().positive(),
  ...ShapeSchema.shape,
  /** Numbers of the ports of commands that were under way. */
  ports: z.array(z.number().int().positive()).max(128),
  /** A process of the guest that waits for a command, and the number of its port. */
  runner: z
    .strictObject({ pid: z.number().int().positive(), port: z.number().int().positive().max(127) })
    .optional(),
});
export type MemoryHeader = z.infer<typeof MemoryHeaderSchema>;

/** Saved memory, open to be read; `offset` is where QEMU's own stream begins. */
export interface OpenMemory extends AsyncDisposable {
  readonly file: FileHandle;
  readonly header: MemoryHeader;
  readonly offset: number;
}

/**
 * What lies in the volume; undefined when there is nothing. QEMU may write to its volume, so nothing there is trusted: no
 * link is followed, and what cannot be read is an error.
 * @throws MullionError `command_failed`
 */
export async function openSavedMemory(machine: Machine): Promise<OpenMemory | undefined> {
  const file = await openFile(machinePaths(machine).memory);
  if (file === undefined) return undefined;
  try {
    const first = Buffer.alloc(HEADER_LIMIT);
    const { bytesRead } = await file.read(first, 0, HEADER_LIMIT, 0);
    const end = first.subarray(0, bytesRead).indexOf('\n');
    if (!(await file.stat()).isFile() || end < 0) throw new TypeError('it has no header');
    const header = MemoryHeaderSchema.parse(JSON.parse(first.toString('utf8', 0, end)));
    return { file, header, offset: end + 1, [Symbol.asyncDispose]: () => file.close() };
  } catch (cause) {
    await file.close();
    throw new MullionError('command_failed', 'The saved memory is damaged.', { cause });
  }
}

async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new MullionError('command_failed', 'The saved memory cannot be read.', { cause });
  }
}

/** Takes out of the volume what is saved there, and what is half written. What is mapped stays mapped. */
export async function dropSavedMemory(machine: Machine): Promise<void> {
  const { memory, ram } = machinePaths(machine);
  for (const path of [memory, `${memory}.new`, ram]) await rm(path, { force: true });
}

/** Has `fill` write the stream behind the header; the whole is there, and durable, or nothing is. */
export async function writeSavedMemory(
  machine: Machine,
  header: MemoryHeader,
  fill: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const { memory } = machinePaths(machine);
  const unfinished = `${memory}.new`;
  for (const path of [memory, unfinished]) await rm(path, { force: true });
  const file = await open(unfinished, 'wx', 0o600);
  try {
    await file.write(`${JSON.stringify(header)}\n`);
    await fill(file);
    await file.sync();
    await rename(unfinished, memory);
  } catch (failure) {
    await rm(unfinished, { force: true });
    throw failure;
  } finally {
    await file.close().catch(() => undefined);
  }
}
