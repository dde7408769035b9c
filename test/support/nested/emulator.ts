import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { AgentChannel } from '../../../src/drivers/guest-agent/agent-channel.ts';
import { GuestPorts } from '../../../src/drivers/qemu/guest-ports.ts';
import { QmpClient } from '../../../src/drivers/qemu/qmp.ts';
import { connectUnixSocket } from '../../../src/host/unix-socket.ts';
import { type BootOptions, renderNestedHost, SOCKETS } from './command-line.ts';

const CONNECT_MS = 10_000;
const MIGRATION_MS = 60_000;
const AnySchema = z.unknown();
const StatusSchema = z.object({ status: z.string().optional() });

/** A QEMU that emulates a nested host; ends with this process. */
export class Emulator implements AsyncDisposable {
  readonly agent: AgentChannel;
  readonly ports: GuestPorts;
  readonly #folder: string;
  readonly #child: ChildProcess;
  readonly #monitor: Promise<QmpClient>;

  private constructor(child: ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.agent = new AgentChannel(() => this.#connect(SOCKETS.agent));
    this.#monitor = this.#openMonitor();
    this.#monitor.catch(() => undefined);
    this.ports = new GuestPorts({
      monitor: () => this.#monitor,
      socketInJail: (name) => join(this.#folder, name),
      connect: (name) => this.#connect(name),
    });
  }

  static async start(options: BootOptions): Promise<Emulator> {
    const { folder } = options.files;
    const log = openSync(join(folder, 'qemu.log'), 'w');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...renderNestedHost(options)], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    child.on('error', () => undefined);
    const emulator = new Emulator(child, folder);
    await emulator.#monitor;
    return emulator;
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Stops the processor and writes the devices' state to a file; the memory's own file holds the rest. */
  async saveState(path: string): Promise<void> {
    this.agent.close();
    this.ports.reset();
    const monitor = await this.#monitor;
    await monitor.execute('stop', {}, AnySchema);
    await this.#shareMemory(monitor);
    await monitor.execute('migrate', { uri: `exec:cat > '${path}'` }, AnySchema);
    await this.#settle(monitor, ['completed']);
  }

  /** Takes over a state that was saved, and lets the processor run. */
  async loadState(path: string): Promise<void> {
    const monitor = await this.#monitor;
    await this.#shareMemory(monitor);
    await monitor.execute('migrate-incoming', { uri: `exec:cat '${path}'` }, AnySchema);
    await this.#settle(monitor, ['completed']);
    await monitor.execute('cont', {}, AnySchema);
  }

  /** As the power failing. */
  async reset(): Promise<void> {
    this.ports.reset();
    await (await this.#monitor).execute('system_reset', {}, AnySchema);
    this.agent.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.ports.reset();
    this.agent.close();
    if (!this.alive) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await ended;
  }

  #connect(name: string) {
    return connectUnixSocket(join(this.#folder, name), CONNECT_MS);
  }

  async #openMonitor(): Promise<QmpClient> {
    const ended = new Promise<never>((_resolve, reject) => {
      this.#child.once('exit', () => {
        reject(new Error(`QEMU ended: ${readFileSync(join(this.#folder, 'qemu.log'), 'utf8').trim()}`));
      });
    });
    const opened = this.#connect(SOCKETS.monitor).then((stream) => QmpClient.open(stream));
    const client = await Promise.race([opened, ended]);
    client.onEvent(({ event }) => {
      if (event !== 'RESET') return;
      this.agent.reset();
      this.ports.reset();
    });
    return client;
  }

  /** The memory is in a file that both have: it is not copied (QEMU, x-ignore-shared). */
  async #shareMemory(monitor: QmpClient): Promise<void> {
    const capabilities = [{ capability: 'x-ignore-shared', state: true }];
    await monitor.execute('migrate-set-capabilities', { capabilities }, AnySchema);
  }

  async #settle(monitor: QmpClient, done: readonly string[]): Promise<void> {
    const deadline = performance.now() + MIGRATION_MS;
    for (;;) {
      const { status = 'none' } = await monitor.execute('query-migrate', {}, StatusSchema);
      if (done.includes(status)) return;
      if (status === 'failed' || performance.now() > deadline) throw new Error(`the migration is ${status}`);
      await sleep(3);
    }
  }
}

/** A port of the loopback that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
