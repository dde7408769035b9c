import type { FileHandle } from 'node:fs/promises';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { MIB } from '../../contract/sizes.ts';
import { listenUnixSocket } from '../../host/unix-listener.ts';
import type { Machine } from '../driver.ts';
import { linkDevice } from './command-line.ts';
import type { Connections } from './connections.ts';
import { describeMachine } from './memory-fit.ts';
import { JAIL, machinePaths, SOCKET } from './paths.ts';
import type { QmpClient } from './qmp.ts';
import { type MemoryHeader, type OpenMemory, writeSavedMemory } from './saved-memory.ts';

/** State of devices, page headers, and the header. */
const DEVICES_ROOM = 64 * MIB;
/** Bytes a second: as fast as it goes. */
const BANDWIDTH = 2 ** 36;
const POLL_MS = 5;
const PIECE = 1024 * 1024;
const CONNECT_MS = 10_000;

const AnySchema = z.unknown();
const MigrationSchema = z.object({ status: z.string().optional(), 'error-desc': z.string().optional() });
const StatusSchema = z.object({ status: z.string() });

export const memoryRoom = (machine: Machine): number => machine.limits.memory + DEVICES_ROOM;

/**
 * Memory that lies in a file already is left out of what is sent (QEMU, qapi/migration.json, x-ignore-shared). Both sides
 * must agree, and a machine remembers how it was started.
 */
async function leaveMappedOut(monitor: QmpClient, state: boolean): Promise<void> {
  const capabilities = [{ capability: 'x-ignore-shared', state }];
  await monitor.execute('migrate-set-capabilities', { capabilities }, AnySchema);
}

/**
 * Writes the memory and devices of a machine that stands still into its volume. QEMU may start no program and open no file
 * of the host, so it sends them over a socket.
 * @throws MullionError `command_failed`, `start_failed` when QEMU has gone
 */
export async function saveMemory(
  machine: Machine,
  monitor: QmpClient,
  runner: MemoryHeader['runner'],
  signal: AbortSignal | undefined,
): Promise<void> {
  const { handover } = machinePaths(machine);
  const header = await describeMachine(machine, monitor, runner);
  await writeSavedMemory(machine, header, async (file) => {
    const connection = await listenUnixSocket(handover, SOCKET.memory);
    const cancel = (): void => void monitor.execute('migrate_cancel', {}, AnySchema).catch(() => undefined);
    try {
      await leaveMappedOut(monitor, header.template);
      await monitor.execute('migrate-set-parameters', { 'max-bandwidth': BANDWIDTH }, AnySchema);
      signal?.throwIfAborted();
      signal?.addEventListener('abort', cancel, { once: true });
      await monitor.execute('migrate', { uri: `unix:${JAIL.handover}/${SOCKET.memory}` }, AnySchema);
      const written = receive(connection.accepted, file);
      await Promise.race([written, isOver(monitor)]);
      await written;
      await isOver(monitor);
    } finally {
      signal?.removeEventListener('abort', cancel);
      connection.close();
    }
  });
}

async function receive(accepted: Promise<NodeJS.ReadableStream>, file: FileHandle): Promise<void> {
  const late = sleep(CONNECT_MS, undefined, { ref: false }).then(() => {
    throw new MullionError('timeout', 'QEMU does not send its memory.');
  });
  const socket = await Promise.race([accepted, late]);
  for await (const piece of socket) await file.writeFile(piece);
}

/** A file's content from `offset` on; the file stays open. */
async function* contentOf(file: FileHandle, offset: number): AsyncGenerator<Buffer> {
  for (let position = offset; ; ) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(PIECE), 0, PIECE, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** Until QEMU says that it has sent all. @throws MullionError `command_failed` when it could not */
async function isOver(monitor: QmpClient): Promise<void> {
  for (;;) {
    const { status, 'error-desc': why } = await monitor.execute('query-migrate', {}, MigrationSchema);
    if (status === 'completed') return;
    if (status === 'failed' || status === 'cancelled') {
      throw new MullionError('command_failed', `QEMU could not save its memory: ${why ?? status}.`);
    }
    await sleep(POLL_MS);
  }
}

/** Plugs in the links of a machine that was started without them. */
export async function plugLinks({ nics }: Machine, monitor: QmpClient): Promise<void> {
  // The function 0 makes the guest look at all of them, so that it comes last.
  for (const [index, nic] of [...nics.entries()].reverse()) {
    await monitor.execute('device_add', linkDevice(nic, index), AnySchema);
  }
}

/** Gives a QEMU that waits for it its memory; the machine then stands where it stood. */
export async function loadMemory(
  machine: Machine,
  connections: Connections,
  monitor: QmpClient,
  memory: OpenMemory,
): Promise<void> {
  await leaveMappedOut(monitor, memory.header.template);
  const uri = `unix:${JAIL.sockets}/${SOCKET.incoming}`;
  await monitor.execute('migrate-incoming', { uri }, AnySchema);
  const socket = await connections.connect(SOCKET.incoming);
  // QEMU may end once it has all, and say so then: what became of it is asked below.
  socket.on('error', () => undefined);
  await pipeline(contentOf(memory.file, memory.offset), socket);
  await rm(join(machinePaths(machine).sockets, SOCKET.incoming), { force: true });
  while ((await monitor.execute('query-status', {}, StatusSchema)).status === 'inmigrate') {
    await sleep(POLL_MS);
  }
}
