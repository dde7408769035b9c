import { setTimeout } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { AgentChannel } from './agent-channel.ts';
import { readSmallFile } from './agent-commands.ts';

/** systemd's top groups: between them they hold every task of the guest but its kernel's own. */
const GROUPS = ['init.scope', 'system.slice', 'user.slice'];

/** Who asks how a VPS does does not wait long for a guest that hangs. */
const ANSWER_MS = 2_000;

/** Processes and threads of a guest, as its limit counts them; undefined when the guest does not say. */
export function countProcesses(agent: AgentChannel): Promise<number | undefined> {
  return Promise.race([countInGuest(agent), setTimeout(ANSWER_MS, undefined, { ref: false })]);
}

async function countInGuest(agent: AgentChannel): Promise<number | undefined> {
  try {
    let sum: number | undefined;
    for (const group of GROUPS) {
      const count = Number(await readIfThere(agent, `/sys/fs/cgroup/${group}/pids.current`));
      if (Number.isSafeInteger(count) && count >= 0) sum = (sum ?? 0) + count;
    }
    return sum ?? parseLoadTasks((await readIfThere(agent, '/proc/loadavg')) ?? '');
  } catch {
    return undefined;
  }
}

async function readIfThere(agent: AgentChannel, path: string): Promise<string | undefined> {
  try {
    return (await readSmallFile(agent, path, 128)).toString('latin1');
  } catch (failure) {
    if (failure instanceof MullionError && failure.code === 'command_failed') return undefined;
    throw failure;
  }
}

/** The tasks that exist (proc(5), /proc/loadavg, fourth field); the kernel's own are among them. */
export function parseLoadTasks(text: string): number | undefined {
  const match = /^\S+ \S+ \S+ \d{1,9}\/(\d{1,9}) /.exec(text);
  return match === null ? undefined : Number(match[1]);
}
