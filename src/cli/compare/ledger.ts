import type { Client } from '../../client/client.ts';
import { endOfTask } from '../../client/task-end.ts';
import { asMullionError } from '../../contract/error-table.ts';
import { type Context, warn } from '../context.ts';

/** What a comparison has made and has to delete, whatever becomes of it. */
export class Ledger {
  readonly #context: Context;
  readonly #vps = new Set<string>();
  #image: string | undefined;
  #task: string | undefined;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Entered before it is made: what is made half is deleted too. */
  vps(name: string): string {
    this.#vps.add(name);
    return name;
  }
  /** An image that was not there before, and the task that makes it. */
  image(name: string, task: string): void {
    this.#image = name;
    this.#task = task;
  }

  async deleteVps(name: string): Promise<void> {
    const { client, project } = this.#context;
    await this.#gone(`the VPS ${name}`, `mullion delete ${name} --force`, () =>
      client.call('vps.delete', { params: { name }, query: { ...project, force: 'true', wait: 60 } }),
    );
    this.#vps.delete(name);
  }

  async deleteAll(): Promise<void> {
    const { client, project } = this.#context;
    await Promise.all([...this.#vps].map((name) => this.deleteVps(name)));
    const [name, task] = [this.#image, this.#task];
    if (name === undefined || task === undefined) return;
    await client.call('tasks.cancel', { params: { id: task } }).catch(() => undefined);
    await client.call('tasks.info', { params: { id: task }, query: { wait: 60 } }).catch(() => undefined);
    await this.#gone(`the image ${name}`, `mullion image delete ${name}`, () =>
      client.call('images.delete', { params: { name }, query: { ...project, wait: 60 } }),
    );
  }

  async #gone(what: string, remedy: string, ask: () => ReturnType<Client['call']>): Promise<void> {
    try {
      const task = await ask();
      if (typeof task !== 'object' || !('progress' in task)) return;
      const { error } = await endOfTask(this.#context.client, task);
      if (error !== null)
        warn(this.#context, `${what} is still there: ${error.message} Delete it with: ${remedy}`);
    } catch (failure) {
      const error = asMullionError(failure);
      if (error.code === 'not_found') return;
      warn(this.#context, `${what} may still be there: ${error.message} Delete it with: ${remedy}`);
    }
  }
}
