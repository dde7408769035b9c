import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { AgentChannel } from '../guest-agent/agent-channel.ts';
import { ping } from '../guest-agent/agent-commands.ts';
import { GuestCommands } from '../guest-agent/guest-commands.ts';
import { ChannelService } from './channel-service.ts';
import { AGENT_CHANNEL, openChannel } from './channels.ts';
import { ConsoleTerminal } from './console-terminal.ts';
import { ExecLines } from './exec-lines.ts';
import type { StoreConnection } from './store-connection.ts';

const CONSOLE_MS = 10_000;

/** The agent reads its channel as a terminal, some kilobytes at a time. */
const LONGEST_REQUEST = 32 * 1024;

/** The daemon's side of one running domain: its console and its channels. */
export class DomainRun {
  readonly uuid: string;
  readonly domain: number;
  readonly agent: AgentChannel;
  readonly commands: GuestCommands;
  readonly #lines: ExecLines;
  readonly #connection: StoreConnection;
  readonly #service: ChannelService;
  readonly #logPath: string;
  #terminal: Promise<ConsoleTerminal> | undefined;
  #ping: Promise<boolean> | undefined;

  constructor(connection: StoreConnection, uuid: string, domain: number, logPath: string) {
    this.#connection = connection;
    this.uuid = uuid;
    this.domain = domain;
    this.#logPath = logPath;
    this.#service = new ChannelService(connection, domain);
    this.agent = new AgentChannel(() => openChannel(connection, domain, AGENT_CHANNEL), LONGEST_REQUEST);
    this.#lines = new ExecLines((channel) => openChannel(connection, domain, channel));
    this.commands = new GuestCommands(this.agent, this.#lines);
  }

  /** Takes the console, if it is not taken yet: from then on the log is written. */
  console(): Promise<ConsoleTerminal> {
    const forget = (): void => {
      if (this.#terminal === opening) this.#terminal = undefined;
    };
    const opening = this.#terminal ?? this.#openConsole();
    if (this.#terminal === undefined) {
      this.#terminal = opening;
      opening.then(({ ended }) => ended.then(forget), forget);
    }
    return opening;
  }

  /** Whether the guest's agent answers now. One question is under way at a time; an older one is not waited for. */
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

  close(): void {
    this.#service.close();
    this.agent.close();
    this.#lines.close();
    this.#terminal?.then(
      (terminal) => terminal.close(),
      () => undefined,
    );
    this.#terminal = undefined;
  }

  async #openConsole(): Promise<ConsoleTerminal> {
    const deadline = performance.now() + CONSOLE_MS;
    for (;;) {
      const store = await this.#connection.use();
      const device = await store.read(`/local/domain/${this.domain}/console/tty`);
      if (device !== undefined && /^\/dev\/pts\/\d{1,6}$/.test(device))
        return new ConsoleTerminal(device, this.#logPath);
      if (performance.now() > deadline) {
        throw new MullionError('host_unfit', 'xenconsoled does not serve the console of the VPS.', {
          remedy: 'Start the toolstack: systemctl restart xen',
        });
      }
      await sleep(50);
    }
  }
}
