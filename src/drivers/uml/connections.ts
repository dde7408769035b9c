import { type FSWatcher, watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../driver.ts';
import { AgentChannel } from '../guest-agent/agent-channel.ts';
import { ping } from '../guest-agent/agent-commands.ts';
import { GuestCommands } from '../guest-agent/guest-commands.ts';
import { GuestLines } from './guest-lines.ts';
import { LineStream } from './line-stream.ts';
import { AGENT_LINE, TERMINAL_ROOM } from './lines.ts';
import { linePipes, machinePaths, UMID } from './paths.ts';

/** The daemon's side of one machine's serial lines: each opened when first needed, again after it was lost. */
export class Connections {
  readonly agent: AgentChannel;
  readonly commands: GuestCommands;
  readonly #lines: GuestLines;
  readonly #watcher: FSWatcher | undefined;
  #ping: Promise<boolean> | undefined;

  constructor(machine: Machine) {
    const paths = machinePaths(machine);
    this.agent = new AgentChannel(async () => LineStream.open(linePipes(paths, AGENT_LINE)), TERMINAL_ROOM);
    this.#lines = new GuestLines(paths);
    this.commands = new GuestCommands(this.agent, this.#lines);
    this.#watcher = watchRestarts(paths.sockets, () => this.#forgetConversations());
  }

  /** Whether the guest's agent answers now. One question is under way at a time; an older request is not waited for. */
  async isAnswering(timeoutMs: number): Promise<boolean> {
    this.#ping ??= ping(this.agent, timeoutMs)
      .then(
        () => true,
        () => false,
      )
      .finally(() => {
        this.#ping = undefined;
      });
    return Promise.race([this.#ping, sleep(timeoutMs, false, { ref: false })]);
  }

  /** A guest that starts anew knows nothing of what was asked of it before. */
  #forgetConversations(): void {
    this.agent.reset();
    this.#lines.reset();
  }

  close(): void {
    this.#watcher?.close();
    this.#lines.reset();
    this.agent.close();
  }
}

/** The kernel removes the folder of its name when it ends, and makes it again when it starts anew in its process. */
function watchRestarts(folder: string, listener: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(folder, { persistent: false }, (event, name) => {
      if (event === 'rename' && name === UMID) listener();
    });
    watcher.on('error', () => undefined);
    return watcher;
  } catch {
    // Without it, what waits for the guest that was ends with its own time.
    return undefined;
  }
}
