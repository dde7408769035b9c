import { setTimeout as sleep } from 'node:timers/promises';
import type { Machine } from '../driver.ts';
import { AgentChannel } from '../guest-agent/agent-channel.ts';
import { ping } from '../guest-agent/agent-commands.ts';
import { GuestCommands } from '../guest-agent/guest-commands.ts';
import { EntryWatch } from './entry-watch.ts';
import { GuestLines } from './guest-lines.ts';
import { type LinePipes, LineStream } from './line-stream.ts';
import { AGENT_LINE, TERMINAL_ROOM } from './lines.ts';
import { linePipes, machinePaths } from './paths.ts';

/**
 * How long the agent's line stays closed after the guest's kernel has taken what nobody answered: the guest sees it hung
 * up, and forgets what its agent has not read. What adds up there would stop the line for good (lines.ts, TERMINAL_ROOM).
 */
const HANGUP_MS = 500;

/** The daemon's side of one machine's serial lines: each opened when first needed, again after it was lost. */
export class Connections {
  readonly agent: AgentChannel;
  readonly commands: GuestCommands;
  readonly #lines: GuestLines;
  readonly #restarts: EntryWatch;
  #hungUp = Promise.resolve();
  #ping: Promise<boolean> | undefined;

  constructor(machine: Machine) {
    const paths = machinePaths(machine);
    this.agent = new AgentChannel(() => this.#openAgentLine(linePipes(paths, AGENT_LINE)), TERMINAL_ROOM);
    this.#lines = new GuestLines(paths);
    this.commands = new GuestCommands(this.agent, this.#lines);
    // A kernel removes the folder of its name as it ends, and makes it again as it starts anew in its process.
    this.#restarts = new EntryWatch(paths.kernel, () => this.#forgetConversations());
  }

  async #openAgentLine(pipes: LinePipes): Promise<LineStream> {
    await this.#hungUp;
    const line = LineStream.open(pipes);
    line.once('close', () => {
      if (LineStream.takeBack(pipes) === 0) this.#hungUp = sleep(HANGUP_MS, undefined, { ref: false });
    });
    return line;
  }

  /**
   * Whether the guest's agent answers within this time. One question is under way at a time, and waits on for an agent that
   * begins; an older request is not waited for.
   */
  async isAnswering(timeoutMs: number): Promise<boolean> {
    this.#ping ??= ping(this.agent)
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
    this.#restarts.close();
    this.#lines.reset();
    this.agent.close();
  }
}
