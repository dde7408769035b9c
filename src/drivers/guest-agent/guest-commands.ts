import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import type { ExecRequest } from '../../contract/streams.ts';
import type { ExecSession } from '../driver.ts';
import type { AgentChannel } from './agent-channel.ts';
import { execStart, execStatus, runInGuest } from './agent-commands.ts';
import { newToken } from './exec-script.ts';
import type { LineProvider } from './guest-line.ts';
import { writeFileArgv } from './long-command.ts';
import { encodeRequest } from './runner-frames.ts';
import { PERL, RUNNER } from './runner-script.ts';
import { RunnerSession } from './runner-session.ts';

const START_MS = 30_000;
/** How often the agent is asked whether the runner lives, while it has not said anything. */
const LOOK_MS = 500;
/** Where root alone writes, until the guest starts anew; another version has another name. */
const FILE = `/run/mullion-runner-${createHash('sha256').update(RUNNER).digest('hex').slice(0, 12)}.pl`;

/** Commands in a guest: its agent starts a runner for each, which is put there once. */
export class GuestCommands {
  readonly #agent: AgentChannel;
  readonly #lines: LineProvider;
  #installed: Promise<void> | undefined;

  constructor(agent: AgentChannel, lines: LineProvider) {
    this.#agent = agent;
    this.#lines = lines;
  }

  /**
   * @param environment the VPS's own; the request's comes after it
   * @throws MullionError `command_failed` when the guest cannot run the runner, `guest_unresponsive`, `not_found` for a user
   */
  async exec(environment: Readonly<Record<string, string>>, request: ExecRequest): Promise<ExecSession> {
    for (let attempt = 0; attempt < 2; attempt += 1) {
      await this.#install();
      const session = await this.#begin(environment, request);
      if (session !== undefined) return session;
      // The guest has started anew, or somebody removed it.
      this.#installed = undefined;
    }
    throw new MullionError(
      'guest_unresponsive',
      'The guest did not run the command: its runner ends at once.',
    );
  }

  async #begin(
    environment: Readonly<Record<string, string>>,
    request: ExecRequest,
  ): Promise<ExecSession | undefined> {
    const line = await this.#lines.openLine();
    const session = new RunnerSession(line, newToken(), encodeRequest(request, environment), request.tty);
    const ended = new AbortController();
    try {
      const argv = [PERL, FILE, ...session.arguments] as const;
      const pid = await execStart(this.#agent, argv, { capture: false, timeoutMs: START_MS });
      void session.released.then(() => this.#forget(pid));
      const begun = await Promise.race([
        session.begun().then(() => true),
        this.#whenGone(session, pid, ended.signal).then(() => false),
      ]);
      if (begun) return session;
      session.close();
      return undefined;
    } catch (failure) {
      session.close();
      throw explained(failure);
    } finally {
      ended.abort();
    }
  }

  /** Settles only when the runner has ended without a word. */
  async #whenGone(session: RunnerSession, pid: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined);
      const silent = !signal.aborted && !session.hasGreeted;
      if (!silent) return new Promise(() => undefined);
      const status = await execStatus(this.#agent, pid).catch(() => undefined);
      if (status?.exited === true && !session.hasGreeted) return;
    }
  }

  #install(): Promise<void> {
    this.#installed ??= putRunner(this.#agent).catch((failure) => {
      this.#installed = undefined;
      throw failure;
    });
    return this.#installed;
  }

  /** The agent keeps how a program ended until it is asked for it. */
  async #forget(pid: number): Promise<void> {
    for (let attempt = 0; attempt < 20; attempt += 1) {
      const status = await execStatus(this.#agent, pid).catch(() => undefined);
      if (status === undefined || status.exited) return;
      await sleep(100);
    }
  }
}

async function putRunner(agent: AgentChannel): Promise<void> {
  if (await isThere(agent)) return;
  const unfinished = `${FILE}.${newToken().slice(0, 8)}`;
  const place = ['/bin/mv', '-f', unfinished, FILE] as const;
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
    const handle = await agent.call('guest-file-open', { path: FILE, mode: 'r' }, z.number().int());
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
