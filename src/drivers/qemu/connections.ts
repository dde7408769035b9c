import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import { connectUnixSocket } from '../../host/unix-socket.ts';
import { ConsoleHub } from '../console/console-hub.ts';
import type { Machine, MachineEnd } from '../driver.ts';
import { AgentChannel } from '../guest-agent/agent-channel.ts';
import { ping } from '../guest-agent/agent-commands.ts';
import { GuestCommands } from '../guest-agent/guest-commands.ts';
import { endFromEvent } from './end.ts';
import { GuestPorts } from './guest-ports.ts';
import { JAIL, machinePaths, SOCKET } from './paths.ts';
import { QmpClient } from './qmp.ts';

const CONNECT_MS = 5_000;

/** The daemon's side of one machine's sockets: each opened when first needed, again after it was lost. */
export class Connections {
  readonly agent: AgentChannel;
  readonly console: ConsoleHub;
  readonly ports: GuestPorts;
  readonly commands: GuestCommands;
  readonly #sockets: string;
  readonly #stopListeners = new Set<() => void>();
  #monitor: Promise<QmpClient> | undefined;
  #ping: Promise<boolean> | undefined;
  #end: MachineEnd | undefined;
  #closed = false;

  constructor(machine: Machine) {
    this.#sockets = machinePaths(machine).sockets;
    this.agent = new AgentChannel(() => this.connect(SOCKET.agent));
    this.console = new ConsoleHub(() => this.connect(SOCKET.console));
    this.ports = new GuestPorts({
      monitor: () => this.monitor(),
      socketInJail: (name) => `${JAIL.sockets}/${name}`,
      connect: (name) => this.connect(name),
    });
    this.commands = new GuestCommands(this.agent, this.ports);
  }

  /** How QEMU said that it ends; undefined when it said nothing, as when it was killed. */
  get end(): MachineEnd | undefined {
    return this.#end;
  }

  connect(name: string): Promise<Socket> {
    return connectUnixSocket(join(this.#sockets, name), CONNECT_MS);
  }

  /** Calls back whenever the guest was brought to stand still, for whatever reason. Returns the way to stop listening. */
  onStop(listener: () => void): () => void {
    this.#stopListeners.add(listener);
    return () => this.#stopListeners.delete(listener);
  }

  /** @throws MullionError when QEMU does not answer */
  monitor(): Promise<QmpClient> {
    this.#monitor ??= this.#openMonitor();
    return this.#monitor;
  }

  async #openMonitor(): Promise<QmpClient> {
    try {
      if (this.#closed) throw gone();
      const socket = await this.connect(SOCKET.monitor);
      if (this.#closed) {
        // By now it may be the next machine's.
        socket.destroy();
        throw gone();
      }
      const client = await QmpClient.open(socket);
      client.onEvent(({ event, data }) => {
        if (event === 'RESET') this.#forgetConversations();
        if (event === 'STOP') for (const listener of this.#stopListeners) listener();
        if (event === 'SHUTDOWN') this.#end = endFromEvent(data) ?? this.#end;
      });
      void client.ended.then(() => {
        this.#monitor = undefined;
      });
      return client;
    } catch (failure) {
      this.#monitor = undefined;
      throw failure;
    }
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
    this.ports.reset();
  }

  close(): void {
    this.#closed = true;
    this.#stopListeners.clear();
    this.ports.reset();
    this.agent.close();
    this.console.close();
    this.#monitor?.then(
      (client) => client.close(),
      () => undefined,
    );
    this.#monitor = undefined;
  }
}

const gone = (): MullionError => new MullionError('wrong_state', 'The machine was given up.');
