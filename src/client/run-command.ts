import { setTimeout as sleep } from 'node:timers/promises';
import type { CallInput, Client } from './client.ts';
import { type Sink, startStreamSession } from './stream-session.ts';

export interface CommandToRun {
  readonly argv: readonly string[];
  readonly timeoutMs: number;
  readonly onOutput: Sink;
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a command in a VPS, without input, to its end; its exit code, or undefined when it takes longer than it may.
 * @throws MullionError as the daemon says; AbortError
 */
export async function runCommand(
  client: Client,
  vps: CallInput<'vps.exec'>,
  { argv, timeoutMs, onOutput, signal }: CommandToRun,
): Promise<number | undefined> {
  const socket = await client.socket('vps.exec', vps);
  const session = startStreamSession(socket, onOutput, { argv: [...argv], env: {}, tty: false });
  const over = new AbortController();
  const end = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  try {
    await session.endInput();
    return await Promise.race([session.exit, sleep(timeoutMs, undefined, { signal: end })]);
  } finally {
    over.abort();
    session.exit.catch(() => undefined);
    session.close();
  }
}
