import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, mkdtempSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { type Client, createClient } from '../../src/client/client.ts';
import { createNodeTransport } from '../../src/client/node-transport.ts';
import { socketPath } from '../../src/core/naming.ts';
import { type CommandOptions, type CommandResult, runCommand } from './command.ts';
import { saveEvidence } from './evidence.ts';
import { type Inventory, type Place, takeInventory } from './inventory.ts';
import { mountMemory } from './memory-folder.ts';
import { inPrivateNetns } from './netns.ts';
import { eventually } from './scratch.ts';
import { placeIn, sweep, sweepAbandoned } from './sweep.ts';
import { CACHE, QUICK_IMAGE } from './test-image.ts';
import { takeVerdicts } from './verdicts.ts';
import { VpsDoor } from './vps-door.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const LAUNCHER = join(ROOT, 'mullion');
export { CACHE } from './test-image.ts';

const PARENT = process.env.MULLION_TEST_STATE ?? '/var/tmp/mullion-tests';
const READY_MS = 60_000;

export interface TestDaemonOptions {
  readonly poolSize?: string;
  /** Subnet of the network `default`. */
  readonly subnet?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Content of the configuration file. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** False: made, but not started. */
  readonly start?: boolean;
  /** Module of the sources that is the daemon, instead of what is built. */
  readonly module?: string;
  /** Whether its run directory lies in memory, as /run does on most hosts. */
  readonly runInMemory?: boolean;
}

/** Once for a run of all tests, which says so by its environment. */
async function ensureBuilt(): Promise<void> {
  if (process.env.MULLION_TEST_BUILT !== undefined) return;
  const built = await runCommand([join(ROOT, 'scripts/bootstrap.sh')], { timeoutMs: 300_000 });
  assert.equal(built.code, 0, built.stderr);
}

/** Such a daemon makes no link and no rule, so it may run in the machine's own network namespace. */
const withoutNetwork = ({ config }: TestDaemonOptions): boolean =>
  isDeepStrictEqual(config?.network, { enabled: false });

/**
 * A daemon of the checkout with state, sockets and network of its own. Only inside `enterPrivateNetns`. Leaving the
 * scope ends the daemon and frees all that it held, whatever happened.
 */
export class TestDaemon extends VpsDoor implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly place: Place;
  /** Of the daemon and of every command. */
  readonly environment: Readonly<Record<string, string>>;
  readonly client: Client;
  readonly #argv: readonly [string, ...string[]];
  #process: ChildProcess | undefined;

  private constructor(name: string, folder: string, options: TestDaemonOptions) {
    super();
    this.name = name;
    this.folder = folder;
    this.place = placeIn(folder);
    this.environment = {
      MULLION_CONFIG: join(folder, 'config.json'),
      MULLION_STATE_DIR: this.place.stateDirectory,
      MULLION_RUN_DIR: this.place.runDirectory,
      MULLION_CACHE_DIR: CACHE,
      MULLION_NODE_NAME: 'test-node',
      MULLION_POOL_SIZE: options.poolSize ?? '12G',
      MULLION_NETWORK_IPV4: options.subnet ?? '10.77.0.0/24',
      ...options.env,
    };
    this.#argv =
      options.module === undefined
        ? [LAUNCHER]
        : [process.execPath, join(import.meta.dirname, options.module)];
    this.client = createClient(createNodeTransport({ socketPath: this.socket }));
  }

  static async start(name: string, options: TestDaemonOptions = {}): Promise<TestDaemon> {
    assert.ok(withoutNetwork(options) || inPrivateNetns(), 'a daemon of a test needs a netns of its own');
    await ensureBuilt();
    mkdirSync(PARENT, { recursive: true });
    mkdirSync(CACHE, { recursive: true });
    await sweepAbandoned(PARENT);
    const folder = mkdtempSync(join(PARENT, `${name}-`));
    // Guests run under uids of their own and must reach what is theirs.
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'owner'), String(process.pid));
    writeFileSync(join(folder, 'config.json'), JSON.stringify(options.config ?? {}));
    const daemon = new TestDaemon(name, folder, options);
    if (options.runInMemory === true) mountMemory(daemon.place.runDirectory);
    takeVerdicts(daemon.place.stateDirectory);
    if (options.start === false) return daemon;
    try {
      await daemon.start();
    } catch (failure) {
      await saveEvidence(daemon, 'the daemon did not start');
      await daemon[Symbol.asyncDispose]();
      throw failure;
    }
    return daemon;
  }

  get socket(): string {
    return socketPath({ instance: '', ...this.place });
  }

  /** What `/metrics` tells. */
  async metrics(): Promise<string> {
    const pieces: Uint8Array[] = [];
    for await (const piece of await this.client.stream('metrics.read')) pieces.push(piece);
    return Buffer.concat(pieces).toString();
  }

  get log(): string {
    return join(this.folder, 'daemon.log');
  }

  get pid(): number {
    assert.ok(this.#process?.pid !== undefined, 'the daemon does not run');
    return this.#process.pid;
  }

  /** Starts the daemon and waits until it answers. */
  async start(): Promise<void> {
    const log = openSync(this.log, 'a');
    const [program, ...first] = this.#argv;
    const child = spawn(program, [...first, 'daemon', 'run'], {
      cwd: '/',
      stdio: ['ignore', log, log],
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', ...this.environment },
    });
    closeSync(log);
    child.on('error', () => undefined);
    this.#process = child;
    await eventually(
      'the daemon answers',
      async () => {
        assert.equal(child.exitCode, null, `the daemon ended; its log is ${this.log}`);
        return this.client.call('server.info').then(
          () => true,
          () => false,
        );
      },
      READY_MS,
    );
  }

  /** Kills the daemon as a crash or an out-of-memory killer would. */
  async kill9(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the daemon as a service manager does. */
  async stop(): Promise<void> {
    await this.#end('SIGTERM');
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Runs `mullion ARGS` against this daemon. */
  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runCommand([LAUNCHER, ...args], { ...options, env: { ...this.environment, ...options.env } });
  }

  inventory(): Promise<Inventory> {
    return takeInventory(this.place);
  }

  /** Makes the image available: from the cache where it is there, else built. */
  async ensureImage(name = 'debian/12'): Promise<void> {
    await this.ok(['image', 'build', name], { timeoutMs: 900_000 });
  }

  /** Likewise the image `quick`, whose machines boot in seconds. */
  async ensureQuickImage(): Promise<void> {
    await this.ok(['image', 'build', ...QUICK_IMAGE], { timeoutMs: 900_000 });
  }

  /** A subtest whose failure leaves evidence. */
  async check(t: TestContext, name: string, body: (t: TestContext) => Promise<void>): Promise<void> {
    await t.test(name, async (inner) => {
      try {
        await body(inner);
      } catch (failure) {
        await saveEvidence(this, name);
        throw failure;
      }
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#process !== undefined) await this.#end('SIGKILL');
    } finally {
      await sweep(this.folder, this.place);
    }
  }

  /** @throws AssertionError when the daemon holds out against SIGTERM */
  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    const late = setTimeout(() => child.kill('SIGKILL'), 30_000);
    await ended;
    clearTimeout(late);
    assert.equal(
      child.signalCode,
      signal === 'SIGKILL' ? signal : null,
      `the daemon did not end; its log is ${this.log}`,
    );
  }
}
