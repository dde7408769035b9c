import type { TestContext } from 'node:test';
import type { Client } from '../../../src/client/client.ts';
import type { CommandOptions, CommandResult } from '../command.ts';
import { VpsDoor } from '../vps-door.ts';
import type { NestedHost } from './nested-host.ts';

/** Commands on an emulated processor, beside other work. */
const COMMAND_MS = 900_000;

/** The daemon inside a nested host, by commands that run on this machine. */
export class NestedDoor extends VpsDoor {
  readonly #host: NestedHost;

  constructor(host: NestedHost) {
    super();
    this.#host = host;
  }

  get client(): Client {
    return this.#host.client;
  }

  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return this.#host.cli(args, { timeoutMs: COMMAND_MS, ...options });
  }

  check(t: TestContext, name: string, body: (t: TestContext) => Promise<void>): Promise<void> {
    return this.#host.check(t, name, body);
  }
}
