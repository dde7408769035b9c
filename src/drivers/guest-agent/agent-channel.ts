import { randomInt } from 'node:crypto';
import type { Duplex } from 'node:stream';
import type * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { decodeReply, encodeRequest, encodeSync, type Reply } from './framing.ts';
import { LineSplitter } from './line-splitter.ts';

/** Longest reply that is read: base64 of a file piece or of captured output, and room around it. */
const REPLY_LIMIT = 2 * 1024 * 1024;
/** Bytes that an agent may say from one question to the next, the rest of an older conversation included. */
const TALK_LIMIT = 2 * REPLY_LIMIT;
/** Lines that it may say meanwhile: each is parsed. */
const LINES_LIMIT = 1_000;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Requests that may wait for their turn; a guest that stops answering must not pile up memory. */
const QUEUE_LIMIT = 256;

interface Line {
  readonly stream: Duplex;
  synchronized: boolean;
  onReply: ((reply: Reply) => void) | undefined;
  onFailure: ((cause: Error) => void) | undefined;
  /** Bytes and lines since the last question. */
  said: number;
  lines: number;
}

/**
 * A conversation with a guest's agent: one request at a time, in order. The guest is hostile input: each reply is
 * bounded and parsed by the caller's schema; after a failure the line is dropped and the next request starts anew.
 */
export class AgentChannel {
  /** Bytes that one request may have: what is longer would stop the line. */
  readonly longestRequest: number;
  readonly #connect: () => Promise<Duplex>;
  #line: Line | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closed = false;

  constructor(connect: () => Promise<Duplex>, longestRequest = Number.POSITIVE_INFINITY) {
    this.#connect = connect;
    this.longestRequest = longestRequest;
  }

  /** Whether the agent has answered on this line, since the guest's last start. */
  get hasAnswered(): boolean {
    return this.#line?.synchronized === true;
  }

  /**
   * @param timeoutMs for this request alone; the wait for its turn is not counted.
   * @throws MullionError `guest_unresponsive` when no fitting answer comes; `command_failed` when the agent refuses.
   */
  call<T>(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    schema: z.ZodType<T>,
    timeoutMs: number = DEFAULT_TIMEOUT_MS,
  ): Promise<T> {
    if (this.#closed || this.#waiting >= QUEUE_LIMIT) {
      return Promise.reject(
        unresponsive(this.#closed ? 'its connection was closed' : 'too many requests wait for it'),
      );
    }
    this.#waiting += 1;
    const result = this.#turn.then(() => this.#exchange(command, args, schema, timeoutMs));
    this.#turn = result.then(
      () => undefined,
      () => undefined,
    );
    return result.finally(() => {
      this.#waiting -= 1;
    });
  }

  /** Sends a request to which the agent gives no answer when it succeeds, such as guest-shutdown. */
  async send(command: string, args: Readonly<Record<string, unknown>>, timeoutMs: number): Promise<void> {
    const turn = this.#turn.then(async () => {
      const line = await this.#synchronized(Date.now() + timeoutMs);
      line.stream.write(encodeRequest(command, args));
    });
    this.#turn = turn.catch(() => undefined);
    await turn;
  }

  /** Gives up what was asked, and speaks anew from the next request on. */
  reset(): void {
    this.#drop('the guest started anew');
  }

  close(): void {
    this.#closed = true;
    this.#drop('the connection was closed');
  }

  async #exchange<T>(
    command: string,
    args: Readonly<Record<string, unknown>> | undefined,
    schema: z.ZodType<T>,
    timeoutMs: number,
  ): Promise<T> {
    const deadline = Date.now() + timeoutMs;
    const line = await this.#synchronized(deadline);
    const reply = await this.#ask(line, encodeRequest(command, args), deadline, (candidate) => candidate);
    if (reply.kind === 'error') {
      throw new MullionError('command_failed', `The guest's agent refused ${command}: ${reply.message}`, {
        details: { command },
      });
    }
    const parsed = reply.kind === 'value' ? schema.safeParse(reply.value) : undefined;
    if (parsed?.success !== true) {
      this.#drop('it sent garbage');
      throw unresponsive(`its answer to ${command} makes no sense`);
    }
    return parsed.data;
  }

  async #synchronized(deadline: number): Promise<Line> {
    if (this.#closed) throw unresponsive('its connection was closed');
    if (this.#line !== undefined) return this.#line;
    const line = this.#open(await this.#connect());
    const id = randomInt(1, 2 ** 31);
    await this.#ask(line, encodeSync(id), deadline, (reply) =>
      reply.kind === 'value' && reply.resynced && reply.value === id ? reply : undefined,
    );
    line.synchronized = true;
    return line;
  }

  #open(stream: Duplex): Line {
    const line: Line = {
      stream,
      synchronized: false,
      onReply: undefined,
      onFailure: undefined,
      said: 0,
      lines: 0,
    };
    const splitter = new LineSplitter(REPLY_LIMIT);
    const fail = (cause: Error): void => {
      if (this.#line === line) this.#line = undefined;
      stream.destroy();
      line.onFailure?.(cause);
    };
    stream.on('data', (chunk: Buffer) => {
      line.said += chunk.length;
      try {
        if (line.said > TALK_LIMIT) throw new Error('it talks without end');
        for (const text of splitter.push(chunk)) {
          line.lines += 1;
          if (line.lines > LINES_LIMIT) throw new Error('it says lines without end');
          // What nobody waits for is not even read.
          if (line.onReply !== undefined) line.onReply(decodeReply(text));
        }
      } catch (cause) {
        fail(cause instanceof Error ? cause : new Error(String(cause)));
      }
    });
    stream.on('error', fail);
    stream.on('close', () => fail(new Error('the connection ended')));
    this.#line = line;
    return line;
  }

  /** Sends, and waits for the first reply that `pick` takes; the line is dropped when none comes before the deadline. */
  #ask(
    line: Line,
    request: string | Buffer,
    deadline: number,
    pick: (reply: Reply) => Reply | undefined,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        clearTimeout(timer);
        line.onReply = undefined;
        line.onFailure = undefined;
      };
      const timer = setTimeout(
        () => {
          settle();
          this.#drop('it did not answer in time');
          reject(unresponsive('it did not answer in time'));
        },
        Math.max(1, deadline - Date.now()),
      );
      line.onFailure = (cause) => {
        settle();
        reject(unresponsive(cause.message, cause));
      };
      line.onReply = (reply) => {
        const picked = pick(reply);
        if (picked === undefined) return;
        settle();
        resolve(picked);
      };
      line.said = 0;
      line.lines = 0;
      if (line.stream.destroyed) line.onFailure(new Error('the connection ended'));
      else line.stream.write(request);
    });
  }

  #drop(why: string): void {
    const line = this.#line;
    this.#line = undefined;
    if (line === undefined) return;
    line.onFailure?.(new Error(why));
    line.stream.destroy();
  }
}

function unresponsive(why: string, cause?: unknown): MullionError {
  return new MullionError('guest_unresponsive', `The guest's agent cannot be asked: ${why}.`, {
    ...(cause === undefined ? {} : { cause }),
  });
}
