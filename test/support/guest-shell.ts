import type { Client } from '../../src/client/client.ts';
import { startStreamSession } from '../../src/client/stream-session.ts';
import { CHANNEL } from '../../src/contract/channels.ts';

export interface ShellResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Runs a shell line in a VPS over the API: a program for each would cost the processors more than many a line does.
 * @throws MullionError as the daemon says; Error after `timeoutMs`
 */
export async function runInGuest(
  client: Client,
  name: string,
  script: string,
  timeoutMs: number,
): Promise<ShellResult> {
  const parts: Record<number, Buffer[]> = { [CHANNEL.stdout]: [], [CHANNEL.stderr]: [] };
  const socket = await client.socket('vps.exec', { params: { name } });
  const session = startStreamSession(
    socket,
    (channel, data) => {
      parts[channel]?.push(Buffer.from(data));
      return true;
    },
    { argv: ['sh', '-c', script], env: {}, tty: false },
  );
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const failure = new Error(`it took longer than ${timeoutMs} ms in ${name}: ${script}`);
    timer = setTimeout(() => reject(failure), timeoutMs);
  });
  try {
    await session.endInput();
    const code = await Promise.race([session.exit, late]);
    const text = (channel: number): string => Buffer.concat(parts[channel] ?? []).toString();
    return { code, stdout: text(CHANNEL.stdout), stderr: text(CHANNEL.stderr) };
  } finally {
    clearTimeout(timer);
    session.exit.catch(() => undefined);
    session.close();
  }
}
