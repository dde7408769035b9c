import { type Duplex, type Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { ExecRequest, Signal, Window } from '../../contract/streams.ts';
import type { ExecSession } from '../driver.ts';
import type { AgentChannel } from './agent-channel.ts';
import { execStart, forgetCommand, runInGuest } from './agent-commands.ts';
import { ControlStream } from './control-stream.ts';
import { KILLED, LINGER_MS, lost } from './exec-end.ts';
import { type ExecChannels, execArgv, newToken, resizeArgv, signalArgv } from './exec-script.ts';

/** A byte channel between host and guest, for one exec. */
export interface GuestPort {
  /** Device file in the guest, or a pattern for it. */
  readonly guestPath: string;
  /** Ending its writable side gives the guest an end of file. */
  readonly stream: Duplex;
}

export interface PortProvider {
  /** Connected channels, in this order: what the guest sees of a later one, it has seen of the earlier ones. */
  openPorts(count: number): Promise<OpenPorts>;
}

export interface OpenPorts {
  readonly ports: readonly GuestPort[];
  release(): Promise<void>;
}

const START_TIMEOUT_MS = 30_000;

/**
 * Runs a command in a guest, its streams on three channels (two with a terminal) that are byte streams with an end: for a
 * guest without Perl.
 * @throws MullionError `guest_unresponsive`
 */
export async function execByShell(
  channel: AgentChannel,
  provider: PortProvider,
  environment: Readonly<Record<string, string>>,
  request: ExecRequest,
): Promise<ExecSession> {
  const { ports, release } = await provider.openPorts(request.tty ? 2 : 3);
  const [input, output, errors] = ports;
  if (input === undefined || output === undefined) throw new TypeError('the provider gave too few channels');
  const channels: ExecChannels = {
    stdin: input.guestPath,
    stdout: output.guestPath,
    ...(errors === undefined ? {} : { stderr: errors.guestPath }),
  };
  const token = newToken();
  const session = new ShellExec(channel, token, input, output.stream, errors?.stream, release);
  try {
    await session.start(execArgv(request, token, channels, environment));
    return session;
  } catch (failure) {
    session.close();
    throw failure;
  }
}

interface Output {
  readonly control: ControlStream;
  /** Ends it; what still comes from the guest is thrown away. Safe to call twice. */
  end(): void;
}

class ShellExec implements ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  readonly exit: Promise<number>;
  readonly #channel: AgentChannel;
  readonly #streams: readonly Duplex[];
  readonly #outputs: readonly Output[];
  readonly #release: () => Promise<void>;
  readonly #launched = Promise.withResolvers<{ pid: number; tty: string }>();
  readonly #code = Promise.withResolvers<number>();
  #agentPid: number | undefined;
  /** Input that follows a resize reaches the guest after it. */
  #resized: Promise<void> = Promise.resolve();
  #ended = false;
  #closed = false;

  constructor(
    channel: AgentChannel,
    token: string,
    { stream: input }: GuestPort,
    output: Duplex,
    errors: Duplex | undefined,
    release: () => Promise<void>,
  ) {
    this.#channel = channel;
    this.#streams = [input, output, ...(errors === undefined ? [] : [errors])];
    this.#release = release;
    const split = (stream: Duplex): Output => {
      const control = new ControlStream(token, (words) => this.#hear(result, words));
      const end = (): void => {
        stream.unpipe(control);
        stream.resume();
        control.end();
      };
      const result: Output = { control, end };
      stream.on('error', end);
      stream.on('close', () => {
        end();
        this.#lost();
      });
      stream.pipe(control);
      return result;
    };
    input.on('error', () => undefined);
    input.resume();
    this.stdin = new Writable({
      write: (chunk, _encoding, done) => {
        void this.#resized.then(() => input.write(chunk, done));
      },
      final: (done) => {
        void this.#resized.then(() => input.end(done));
      },
    }).on('error', () => undefined);
    this.#outputs = [split(output), ...(errors === undefined ? [] : [split(errors)])];
    this.stdout = this.#outputs[0]?.control ?? output;
    this.stderr = this.#outputs[1]?.control;
    this.#launched.promise.catch(() => undefined);
    this.exit = this.#watch();
    this.exit.catch(() => undefined);
  }

  async start(argv: readonly [string, ...string[]]): Promise<void> {
    this.#agentPid = await execStart(this.#channel, argv, { capture: false, timeoutMs: START_TIMEOUT_MS });
    const timer = setTimeout(
      () => this.#launched.reject(lost('it did not start the command in time')),
      START_TIMEOUT_MS,
    );
    await this.#launched.promise.finally(() => clearTimeout(timer));
  }

  signal(signal: Signal): void {
    void this.#tell(({ pid }) => signalArgv(signal, pid));
  }

  resize(window: Window): void {
    this.#resized = this.#tell(({ tty }) =>
      tty === '' ? undefined : resizeArgv(tty, window.rows, window.columns),
    );
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const ended = this.#ended;
    this.#code.resolve(KILLED);
    this.#lost();
    this.stdin.destroy();
    for (const stream of this.#streams) stream.destroy();
    if (!ended) for (const { control } of this.#outputs) control.destroy();
    void this.#free(ended);
  }

  /** Asks the agent for something besides; a guest that does not answer is left alone. */
  async #tell(
    argv: (command: { pid: number; tty: string }) => readonly [string, ...string[]] | undefined,
  ): Promise<void> {
    try {
      const command = await this.#launched.promise;
      const words = this.#closed ? undefined : argv(command);
      if (words !== undefined) await runInGuest(this.#channel, words);
    } catch {
      return;
    }
  }

  /** The guest's words are checked: they are hostile input like all that it sends. */
  #hear(from: Output, [kind, value = '', tty = '']: string[]): void {
    const number = /^\d{1,9}$/.test(value) ? Number(value) : undefined;
    if (kind === 'pid' && number !== undefined && number > 1) {
      this.#launched.resolve({ pid: number, tty: /^\/dev\/[a-z0-9/]{1,60}$/.test(tty) ? tty : '' });
    } else if (kind === 'exit' && number !== undefined && number <= 255) {
      this.#ended = true;
      this.#code.resolve(number);
      if (this.stderr === undefined) queueMicrotask(() => from.end());
    } else if (kind === 'unknown') {
      this.#launched.reject(new MullionError('not_found', 'The VPS has no user of that name.'));
    } else if (kind === 'end') queueMicrotask(() => from.end());
  }

  #lost(): void {
    const failure = lost('the connection to the command was lost');
    this.#launched.reject(failure);
    this.#code.reject(failure);
  }

  /** The exit code, once the streams have ended or nothing more has come for a while. */
  async #watch(): Promise<number> {
    try {
      const code = await this.#code.promise;
      if (!this.#closed) {
        this.#streams[0]?.end();
        await this.#drain();
      }
      await Promise.all(
        this.#outputs.map(({ control }) => finished(control, { readable: false }).catch(() => undefined)),
      );
      return code;
    } finally {
      this.close();
    }
  }

  /** Waits until the guest has ended its output, or until nothing came for a while though it was all read. */
  async #drain(): Promise<void> {
    let silentSince = performance.now();
    const onData = (): void => {
      silentSince = performance.now();
    };
    for (const stream of this.#streams) stream.on('data', onData);
    while (this.#outputs.some(({ control }) => !control.writableEnded)) {
      const unread = this.#outputs.some(
        ({ control }) => control.readableLength > 0 || control.writableLength > 0,
      );
      if (unread) onData();
      if (performance.now() - silentSince > LINGER_MS) break;
      await sleep(5);
    }
    for (const { end } of this.#outputs) end();
  }

  /** Ends what still runs, takes the channels back, and lets the agent forget the command. */
  async #free(ended: boolean): Promise<void> {
    try {
      const command = await this.#launched.promise.catch(() => undefined);
      if (command !== undefined && !ended) {
        await runInGuest(this.#channel, signalArgv('SIGKILL', command.pid));
      }
    } catch {
      // The guest no longer answers; its channels are taken from it all the same.
    }
    await this.#release().catch(() => undefined);
    if (this.#agentPid !== undefined) await forgetCommand(this.#channel, this.#agentPid);
  }
}
