import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '../../client/client.ts';
import { runCommand } from '../../client/run-command.ts';
import { endOfTask } from '../../client/task-end.ts';
import { MullionError } from '../../contract/error-table.ts';
import type { Task } from '../../contract/tasks.ts';
import { taskError } from '../follow.ts';

/** More than any workload prints: a guest that prints without end is cut off. */
const OUTPUT_LIMIT = 1024 * 1024;
const PATIENCE = 60;

export interface Answer {
  readonly code: number;
  /** Standard output and error, as they came. */
  readonly output: string;
}

/** One VPS, through the API. Every call ends with the signal. */
export class Guest {
  readonly name: string;
  readonly #client: Client;
  readonly #query: { readonly project?: string };
  readonly #signal: AbortSignal;

  constructor(client: Client, query: { readonly project?: string }, name: string, signal: AbortSignal) {
    this.#client = client;
    this.#query = query;
    this.name = name;
    this.#signal = signal;
  }

  /** @throws MullionError `command_failed` when it takes longer */
  async run(argv: readonly string[], timeoutMs: number): Promise<Answer> {
    const parts: Uint8Array[] = [];
    let size = 0;
    const onOutput = (_channel: unknown, data: Uint8Array): boolean => {
      size += data.length;
      if (size <= OUTPUT_LIMIT) parts.push(data);
      return true;
    };
    const vps = { params: { name: this.name }, query: this.#query };
    const code = await runCommand(this.#client, vps, { argv, timeoutMs, onOutput, signal: this.#signal });
    if (code === undefined) {
      throw new MullionError('command_failed', `${argv[0]} took longer than ${timeoutMs / 1000} s.`);
    }
    return { code, output: Buffer.concat(parts).toString('utf8') };
  }

  /** Waits until commands run in it. @throws MullionError when they do not in time */
  async answers(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const answer = await this.run(['true'], PATIENCE * 1000).catch((failure: unknown) => failure);
      if (typeof answer === 'object' && answer !== null && 'code' in answer && answer.code === 0) return;
      this.#signal.throwIfAborted();
      if (performance.now() > deadline) {
        throw new MullionError('guest_unresponsive', `${this.name} started, but runs no command.`, {
          cause: answer,
        });
      }
      await this.rest(100);
    }
  }

  rest(milliseconds: number): Promise<void> {
    return sleep(milliseconds, undefined, { signal: this.#signal });
  }

  /** @throws the error that the task failed with */
  async ended(begun: Task): Promise<Task> {
    const task = await endOfTask(this.#client, begun, this.#signal);
    if (task.error !== null) throw taskError(task, task.error);
    return task;
  }
}
