import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { MullionError } from '../../contract/errors.ts';
import type { Signal, Window } from '../../contract/streams.ts';
import type { ExecSession } from '../driver.ts';
import { KILLED, LINGER_MS, lost } from './exec-end.ts';
import type { GuestLine, LineRoom } from './guest-line.ts';
import { LineInput } from './line-input.ts';
import { LineOutput } from './line-output.ts';
import { Greeting, RunnerConduct } from './runner-conduct.ts';
import { encodeCount, encodeFrame, type Frame, FrameSplitter } from './runner-frames.ts';
import { FRAME_HEADER } from './runner-script.ts';

const START_MS = 30_000;
const GOODBYE_MS = 3_000;
const EXIT = 'x';
/** Bytes of frames, besides input, that wait for a guest to read them. */
const UNREAD_LIMIT = 64 * 1024;
export const DISMISSAL = encodeFrame(EXIT);

/** One command in a guest, over a line of its own: the host's side of `RUNNER`. The guest's words are hostile input. */
export class RunnerSession implements ExecSession {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable | undefined;
  readonly exit: Promise<number>;
  /** Settles when the guest has ended the command, with whether its runner waits for the next one. */
  readonly released: Promise<boolean>;
  readonly #line: GuestLine;
  readonly #token: string;
  readonly #input: LineInput;
  readonly #outputs: readonly LineOutput[];
  readonly #frames = new FrameSplitter();
  readonly #greeting = Promise.withResolvers<void>();
  readonly #begun = Promise.withResolvers<void>();
  readonly #code = Promise.withResolvers<number>();
  readonly #goodbye = Promise.withResolvers<boolean>();
  readonly #release = Promise.withResolvers<boolean>();
  readonly #conduct = new RunnerConduct();
  /** Undefined once the guest has greeted. */
  #awaited: Greeting | undefined;
  /** Why this side gave it up. */
  #fault: string | undefined;
  #heardAt = 0;
  #ended = false;
  #closed = false;
  #parted = false;
  readonly #onData = (chunk: Buffer): void => this.#hear(chunk);
  readonly #onClose = (): void => this.#lost();

  /** @param request what is to run, as `encodeRequest` writes it: the first of the input */
  constructor(line: GuestLine, token: string, request: Buffer, tty: boolean) {
    this.#line = line;
    this.#token = token;
    this.#awaited = new Greeting(token);
    this.released = this.#release.promise;
    this.#input = new LineInput(line);
    this.#input.write(request);
    this.stdin = this.#input;
    const acknowledge = (count: number): void => this.#send(encodeFrame('a', encodeCount(count)));
    const output = new LineOutput(line.room.toHost, acknowledge);
    const errors = tty ? undefined : new LineOutput(line.room.toHost, acknowledge);
    this.#outputs = errors === undefined ? [output] : [output, errors];
    this.stdout = output.stream;
    this.stderr = errors?.stream;
    this.#begun.promise.catch(() => undefined);
    this.exit = this.#watch();
    this.exit.catch(() => undefined);
    line.stream.on('data', this.#onData);
    line.stream.on('close', this.#onClose);
    if (line.stream.destroyed) this.#lost();
  }

  /** Has the runner of the line's last command take this one. */
  callRunner(): void {
    this.#line.stream.write(encodeFrame('n', Buffer.from(this.#token)));
  }

  /** Of a new runner, as the guest is to start it. */
  get arguments(): readonly string[] {
    const { guestPath, room } = this.#line;
    return [guestPath, this.#token, String(room.toHost)];
  }

  get hasGreeted(): boolean {
    return this.#awaited === undefined;
  }

  /** Whether the runner has spoken by then. */
  async greeted(timeoutMs: number): Promise<boolean> {
    await Promise.race([this.#greeting.promise, sleep(timeoutMs, undefined, { ref: false })]);
    return this.hasGreeted;
  }

  /** @throws MullionError `not_found` when the guest does not know the user, `guest_unresponsive` */
  async begun(): Promise<void> {
    const timer = setTimeout(
      () => this.#begun.reject(lost('it did not start the command in time')),
      START_MS,
    );
    await this.#begun.promise.finally(() => clearTimeout(timer));
  }

  signal(signal: Signal): void {
    this.#send(encodeFrame('s', Buffer.from([constants.signals[signal]])));
  }

  resize({ rows, columns }: Window): void {
    const content = Buffer.alloc(4);
    content.writeUInt16BE(rows);
    content.writeUInt16BE(columns, 2);
    this.#send(encodeFrame('w', content));
  }

  /** Gives the command up. */
  lose(why: string): void {
    // The line may be the next command's.
    if (this.#parted) return;
    this.#fault ??= why;
    this.#line.stream.destroy();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const ended = this.#ended;
    this.#code.resolve(KILLED);
    this.#begun.reject(lost('it was closed'));
    this.stdin.destroy();
    if (!ended) for (const { stream } of this.#outputs) stream.destroy();
    void this.#free();
  }

  /** Says nothing more once it has said goodbye: the line may be the next command's. */
  #send(frame: Buffer): void {
    const { stream, room } = this.#line;
    if (this.#awaited !== undefined || this.#parted) return;
    // A guest that does not read what it has brought about costs its command, and no memory.
    if (stream.writableLength > room.toGuest + UNREAD_LIMIT) this.lose('the guest does not read');
    else stream.write(frame);
  }

  #hear(chunk: Buffer): void {
    this.#heardAt = performance.now();
    try {
      const rest = this.#awaited === undefined ? chunk : this.#greet(this.#awaited, chunk);
      for (const frame of this.#frames.push(rest)) this.#understand(frame);
      for (const output of this.#outputs) output.flush();
    } catch (failure) {
      this.lose(failure instanceof Error ? failure.message : String(failure));
    }
  }

  #greet(awaited: Greeting, chunk: Buffer): Buffer {
    const rest = awaited.hear(chunk);
    if (rest === undefined) return Buffer.alloc(0);
    this.#awaited = undefined;
    this.#greeting.resolve();
    this.#line.stream.write(`${this.#token}\n`);
    this.#input.open();
    return rest;
  }

  /** @throws RangeError for what no runner says */
  #understand(frame: Frame): void {
    this.#conduct.check(frame);
    const { kind, content } = frame;
    switch (kind) {
      case '1':
      case '2':
        this.#numbered(Number(kind)).push(content);
        break;
      case 'E':
        this.#numbered(content[0]).end();
        break;
      case 'c':
        this.#input.read(content.readUInt32BE());
        break;
      case 'p':
        this.#begun.resolve();
        break;
      case 'u':
        this.#begun.reject(new MullionError('not_found', 'The VPS has no user of that name.'));
        break;
      case 'e':
        this.#ended = true;
        this.#code.resolve(content[0] ?? KILLED);
        break;
      case 'z':
        this.#goodbye.resolve(true);
        break;
    }
  }

  #numbered(number = 0): LineOutput {
    const output = this.#outputs[number - 1];
    if (output === undefined) throw new RangeError(`output ${number}`);
    return output;
  }

  #lost(): void {
    const why = this.#fault ?? this.#line.stream.errored?.message;
    const failure = lost(`the connection to the command was lost${why === undefined ? '' : `: ${why}`}`);
    this.#greeting.resolve();
    this.#begun.reject(failure);
    this.#code.reject(failure);
    this.#goodbye.resolve(false);
    for (const output of this.#outputs) output.end();
    this.#input.open();
  }

  /** The exit code, once the streams have ended or nothing more has come for a while. */
  async #watch(): Promise<number> {
    try {
      const code = await this.#code.promise;
      if (!this.#closed) await this.#drain();
      return code;
    } finally {
      this.close();
    }
  }

  async #drain(): Promise<void> {
    this.#heardAt = performance.now();
    while (this.#outputs.some(({ ended }) => !ended)) {
      if (this.#outputs.some(({ waiting }) => waiting > 0)) this.#heardAt = performance.now();
      if (performance.now() - this.#heardAt > LINGER_MS) break;
      await sleep(5);
    }
    for (const output of this.#outputs) output.end();
  }

  /** Ends what still runs, and gives the line back. */
  async #free(): Promise<void> {
    let clean = false;
    if (this.#awaited === undefined && !this.#line.stream.destroyed) {
      this.#send(encodeFrame('q'));
      this.#parted = true;
      const timer = setTimeout(() => this.#goodbye.resolve(false), GOODBYE_MS);
      clean = await this.#goodbye.promise.finally(() => clearTimeout(timer));
    }
    this.#line.stream.off('data', this.#onData).off('close', this.#onClose);
    this.#release.resolve(clean);
  }
}

/** Makes a runner end that a former daemon left on a line: what it waits for is filled up, and it is told to exit. */
export const sweepOf = ({ piece }: LineRoom): Buffer => Buffer.alloc(piece + FRAME_HEADER, EXIT);
