import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { ExecRequest } from '../../contract/streams.ts';
import type { ExecSession } from '../driver.ts';
import type { AgentChannel } from './agent-channel.ts';
import { execStart, execStatus, forgetCommand, hasEnded, runInGuest } from './agent-commands.ts';
import { lost } from './exec-end.ts';
import { killRunnerArgv, newToken } from './exec-script.ts';
import type { GuestLine, LineProvider } from './guest-line.ts';
import { writeFileArgv } from './long-command.ts';
import { RUNNER_FILE } from './runner-file.ts';
import { encodeRequest } from './runner-frames.ts';
import { PERL, RUNNER } from './runner-script.ts';
import { DISMISSAL, RunnerSession, sweepOf } from './runner-session.ts';

const START_MS = 30_000;
/** How often the agent is asked whether the runner lives, while it has not said anything. */
const LOOK_MS = 500;

/** A runner that waits for the next command keeps memory of the guest: one of them, and not for long. */
const IDLE_MS = 60_000;
/** One that does not answer by then is left alone, before it has been told what to run. */
const CALL_MS = 3_000;

/** A runner says goodbye after its command's end. */
const GOODBYE_LOOKS = 10;
const NOTHING: ExecRequest = { argv: ['/bin/true'], env: {}, tty: false };

/** How often, and how far apart, a guest that does not answer is asked to end what ran commands. */
const END_TRIES = 12;
const END_MS = 5_000;

/** How often a runner whose command is under way is looked at: a guest that lacks memory may have killed it. */
const WATCH_MS = 5_000;

/** Bytes of a request that holds the runner's whole program, and what else it takes. */
const LONG_REQUEST = 2 * RUNNER.length + 64 * 1024;

/** The runner's program as Perl is given it. */
interface Program {
  readonly path: string;
  readonly input: Buffer | undefined;
}

/** A process of the guest that runs commands, and its line. */
export interface Runner {
  readonly line: GuestLine;
  readonly pid: number;
}

/** Commands in a guest: its agent starts a runner, which serves one after the other. */
export class GuestCommands {
  readonly #agent: AgentChannel;
  readonly #lines: LineProvider;
  #installed: Promise<void> | undefined;
  #left: Runner | undefined;
  #idle: { readonly runner: Runner; stopWaiting(): void } | undefined;

  constructor(agent: AgentChannel, lines: LineProvider) {
    this.#agent = agent;
    this.#lines = lines;
  }

  /**
   * @param environment the VPS's own; the request's comes after it
   * @throws MullionError `command_failed` when the guest cannot run the runner, `guest_unresponsive`, `not_found` for a user
   */
  async exec(environment: Readonly<Record<string, string>>, request: ExecRequest): Promise<ExecSession> {
    const blob = encodeRequest(request, environment);
    const open = (line: GuestLine): RunnerSession => new RunnerSession(line, newToken(), blob, request.tty);
    const called = await this.#callIdle(open);
    if (called !== undefined) return this.#begun(called.session, called.runner);
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const program = await this.#program();
      const started = await this.#startRunner(open, program);
      if (started !== undefined) return this.#begun(started.session, started.runner);
      // The guest has started anew, or somebody removed the program.
      this.#installed = undefined;
    }
    throw new MullionError(
      'guest_unresponsive',
      'The guest did not run the command: its runner ends at once.',
    );
  }

  /** Has a runner wait for a command of whoever goes on from the guest's memory. */
  async leaveRunner(): Promise<void> {
    const { stdin, stdout, stderr, exit } = await this.exec({}, NOTHING);
    stdin.end();
    stdout.resume();
    stderr?.resume();
    await exit;
    for (let looks = 0; this.#idle === undefined && looks < GOODBYE_LOOKS; looks += 1) await sleep(LOOK_MS);
    this.#left = this.#takeIdle();
  }

  get left(): Runner | undefined {
    return this.#left;
  }

  /** Takes over a runner that waits. */
  adopt(runner: Runner): void {
    if (this.#idle === undefined) this.#keep(runner);
  }

  /** Ends the runner that waits. */
  async tidy(): Promise<void> {
    const runner = this.#takeIdle();
    if (runner !== undefined) await this.#dismiss(runner);
  }

  async #begun(session: RunnerSession, runner: Runner): Promise<ExecSession> {
    const watch = setInterval(() => void this.#loseIfGone(session, runner), WATCH_MS).unref();
    void session.released
      .finally(() => clearInterval(watch))
      .then((waits) => this.#giveBack(runner, waits))
      .catch(() => undefined);
    try {
      await session.begun();
      return session;
    } catch (failure) {
      session.close();
      throw failure;
    }
  }

  async #callIdle(
    open: (line: GuestLine) => RunnerSession,
  ): Promise<{ session: RunnerSession; runner: Runner } | undefined> {
    const runner = this.#takeIdle();
    if (runner === undefined) return undefined;
    const session = open(runner.line);
    session.callRunner();
    if (await session.greeted(CALL_MS)) return { session, runner };
    session.close();
    void session.released.then(() => this.#giveBack(runner, false)).catch(() => undefined);
    return undefined;
  }

  async #startRunner(
    open: (line: GuestLine) => RunnerSession,
    { path, input }: Program,
  ): Promise<{ session: RunnerSession; runner: Runner } | undefined> {
    const line = await this.#lines.openLine();
    const session = open(line);
    let runner: Runner | undefined;
    try {
      const argv = [PERL, path, ...session.arguments] as const;
      const pid = await execStart(this.#agent, argv, { capture: false, timeoutMs: START_MS, input });
      runner = { line, pid };
      if (await this.#greets(session, runner)) return { session, runner };
    } catch (failure) {
      session.close();
      if (runner === undefined) await line.release(false);
      else void this.#giveBack(runner, false).catch(() => undefined);
      throw explained(failure);
    }
    session.close();
    await line.release(false);
    return undefined;
  }

  /** False when the runner has ended without a word. @throws MullionError `guest_unresponsive` */
  async #greets(session: RunnerSession, { line, pid }: Runner): Promise<boolean> {
    const deadline = performance.now() + START_MS;
    while (!(await session.greeted(LOOK_MS))) {
      const { exited } = await execStatus(this.#agent, pid);
      if (exited && !session.hasGreeted) return false;
      if (line.stream.destroyed || performance.now() > deadline) throw lost('it did not start it in time');
    }
    return true;
  }

  async #giveBack(runner: Runner, waits: boolean): Promise<void> {
    if (!waits || runner.line.stream.destroyed) await this.#end(runner);
    else if (this.#idle === undefined) this.#keep(runner);
    else await this.#dismiss(runner);
  }

  /** For the next command. Runners that wait are silent: one that speaks is left alone. */
  #keep(runner: Runner): void {
    const timer = setTimeout(() => void this.tidy().catch(() => undefined), IDLE_MS).unref();
    const onData = (): void => {
      this.#takeIdle();
      void this.#giveBack(runner, false).catch(() => undefined);
    };
    runner.line.stream.once('data', onData);
    const stopWaiting = (): void => {
      clearTimeout(timer);
      runner.line.stream.off('data', onData);
    };
    this.#idle = { runner, stopWaiting };
  }

  async #loseIfGone(session: RunnerSession, { pid }: Runner): Promise<void> {
    const status = await execStatus(this.#agent, pid).catch(() => undefined);
    if (status?.exited === true) session.lose('what runs commands in the guest has ended');
  }

  #takeIdle(): Runner | undefined {
    const idle = this.#idle;
    this.#idle = undefined;
    idle?.stopWaiting();
    return idle?.runner;
  }

  async #end({ line, pid }: Runner): Promise<void> {
    if (line.hangsUp) {
      await line.release(false);
      return forgetCommand(this.#agent, pid);
    }
    // Nobody may hear what the line's next runner is told.
    if (!line.stream.destroyed) line.stream.write(sweepOf(line.room));
    for (let tries = 0; tries < END_TRIES; tries += 1) {
      if (await hasEnded(this.#agent, pid).catch(() => undefined)) break;
      line.stream.destroy();
      await runInGuest(this.#agent, killRunnerArgv(pid)).catch(() =>
        sleep(END_MS, undefined, { ref: false }),
      );
    }
    await line.release(false);
  }

  async #dismiss(runner: Runner): Promise<void> {
    const { line, pid } = runner;
    if (!line.hangsUp) return this.#end(runner);
    line.stream.write(DISMISSAL);
    await line.release(true);
    await forgetCommand(this.#agent, pid);
  }

  /** By its standard input where the agent takes all of it at once, which costs the guest no other process. */
  async #program(): Promise<Program> {
    if (this.#agent.longestRequest > LONG_REQUEST) return { path: '-', input: Buffer.from(RUNNER) };
    this.#installed ??= putRunner(this.#agent).catch((failure) => {
      this.#installed = undefined;
      throw failure;
    });
    await this.#installed;
    return { path: RUNNER_FILE, input: undefined };
  }
}

async function putRunner(agent: AgentChannel): Promise<void> {
  if (await isThere(agent)) return;
  const unfinished = `${RUNNER_FILE}.${newToken().slice(0, 8)}`;
  const place = ['/bin/mv', '-f', unfinished, RUNNER_FILE] as const;
  for (const argv of [...writeFileArgv(unfinished, RUNNER, agent.longestRequest), place]) {
    const { code } = await runInGuest(agent, argv);
    if (code !== 0)
      throw new MullionError(
        'guest_unresponsive',
        `The guest does not keep a file in /run: exit code ${code}.`,
      );
  }
}

async function isThere(agent: AgentChannel): Promise<boolean> {
  try {
    const handle = await agent.call('guest-file-open', { path: RUNNER_FILE, mode: 'r' }, z.number().int());
    await agent.call('guest-file-close', { handle }, z.unknown());
    return true;
  } catch (failure) {
    if (failure instanceof MullionError && failure.code === 'command_failed') return false;
    throw failure;
  }
}

function explained(failure: unknown): unknown {
  if (!(failure instanceof MullionError) || failure.code !== 'command_failed') return failure;
  return new MullionError('command_failed', `The guest does not run ${PERL}: ${failure.message}`, {
    remedy: 'Install perl-base in it, or use its console: mullion console NAME',
    cause: failure,
  });
}
