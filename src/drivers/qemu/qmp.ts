import type { Duplex } from 'node:stream';
import * as z from 'zod';
import { MullionError } from '../../contract/errors.ts';
import { LineSplitter } from '../guest-agent/line-splitter.ts';
import { decodeMessage, GreetingSchema, type QmpEvent } from './qmp-messages.ts';

const LINE_LIMIT = 1024 * 1024;
const TIMEOUT_MS = 10_000;

interface Pending {
  readonly command: string;
  readonly settle: (outcome: { value: unknown } | { failure: MullionError }) => void;
}

/** One connection to QEMU's monitor. QEMU serves one client at a time, and the next once this one is closed. */
export class QmpClient {
  readonly #stream: Duplex;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  readonly #greeting = Promise.withResolvers<void>();
  readonly ended: Promise<void>;
  #greeted = false;
  #nextId = 1;

  private constructor(stream: Duplex) {
    this.#stream = stream;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.ended = promise;
    const splitter = new LineSplitter(LINE_LIMIT);
    stream.on('data', (chunk: Buffer) => {
      try {
        for (const line of splitter.push(chunk)) this.#hear(line.toString('utf8'));
      } catch {
        stream.destroy();
      }
    });
    stream.on('error', () => undefined);
    stream.on('end', () => stream.destroy());
    stream.on('close', () => {
      const failure = lost();
      this.#greeting.reject(failure);
      for (const { settle } of this.#pending.values()) settle({ failure });
      this.#pending.clear();
      resolve();
    });
  }

  /** @throws MullionError `start_failed` when QEMU does not greet within `timeoutMs` */
  static async open(stream: Duplex, timeoutMs = TIMEOUT_MS): Promise<QmpClient> {
    const client = new QmpClient(stream);
    const timer = setTimeout(() => stream.destroy(), timeoutMs);
    try {
      await client.#greeting.promise;
      await client.execute('qmp_capabilities', {}, z.unknown(), timeoutMs);
      return client;
    } catch (cause) {
      stream.destroy();
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  }

  get closed(): boolean {
    return this.#stream.destroyed;
  }

  /** @throws MullionError `command_failed` when QEMU refuses, `timeout`, `start_failed` when the connection is lost */
  execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    timeoutMs = TIMEOUT_MS,
  ): Promise<T> {
    if (this.closed) return Promise.reject(lost());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(new MullionError('timeout', `QEMU did not answer ${command} in time.`));
      }, timeoutMs);
      const settle: Pending['settle'] = (outcome) => {
        clearTimeout(timer);
        this.#pending.delete(id);
        if ('failure' in outcome) return reject(outcome.failure);
        const parsed = schema.safeParse(outcome.value);
        if (parsed.success) resolve(parsed.data);
        else reject(new MullionError('command_failed', `QEMU's answer to ${command} makes no sense.`));
      };
      this.#pending.set(id, { command, settle });
      this.#stream.write(`${JSON.stringify({ execute: command, arguments: args, id })}\n`);
    });
  }

  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Lets QEMU take the next client. */
  close(): void {
    this.#stream.destroy();
  }

  #hear(line: string): void {
    if (!this.#greeted) {
      GreetingSchema.parse(JSON.parse(line));
      this.#greeted = true;
      this.#greeting.resolve();
      return;
    }
    const message = decodeMessage(line);
    switch (message?.kind) {
      case undefined:
        return;
      case 'event':
        for (const listener of this.#listeners) listener(message.event);
        return;
      case 'error': {
        const pending = this.#pending.get(message.id);
        const text = `QEMU refused ${pending?.command ?? 'a command'}: ${message.error.desc}`;
        pending?.settle({ failure: new MullionError('command_failed', text) });
        return;
      }
      case 'value':
        this.#pending.get(message.id)?.settle({ value: message.value });
    }
  }
}

const lost = (): MullionError => new MullionError('start_failed', 'The connection to QEMU was lost.');
