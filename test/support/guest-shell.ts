import type { Client } from '../../src/client/client.ts';
import { runCommand } from '../../src/client/run-command.ts';
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
  const onOutput = (channel: number, data: Uint8Array): boolean => {
    parts[channel]?.push(Buffer.from(data));
    return true;
  };
  const argv = ['sh', '-c', script];
  const code = await runCommand(client, { params: { name } }, { argv, timeoutMs, onOutput });
  if (code === undefined) throw new Error(`it took longer than ${timeoutMs} ms in ${name}: ${script}`);
  const text = (channel: number): string => Buffer.concat(parts[channel] ?? []).toString();
  return { code, stdout: text(CHANNEL.stdout), stderr: text(CHANNEL.stderr) };
}
