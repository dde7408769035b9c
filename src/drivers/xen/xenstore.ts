import type { Socket } from 'node:net';
import { MullionError } from '../../contract/errors.ts';
import { connectUnixSocket } from '../../host/unix-socket.ts';
import {
  encodeMessage,
  MessageSplitter,
  OPERATION,
  type StoreMessage,
  splitWords,
  words,
} from './xenstore-wire.ts';

const SOCKETS = ['/run/xenstored/socket', '/var/run/xenstored/socket'];
const CONNECT_MS = 2_000;
const TIMEOUT_MS = 10_000;

/** @param path that changed; undefined when the connection has ended */
type Listener = (path: string | undefined) => void;

interface Pending {
  readonly settle: (reply: StoreMessage) => void;
  readonly fail: (cause: Error) => void;
}

/** A connection to Xen's store of settings of domains, with domain 0's rights. */
export class XenStore {
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #watchers = new Map<string, Listener>();
  #next = 1;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const splitter = new MessageSplitter();
    socket.on('data', (chunk) => {
      try {
        for (const message of splitter.push(chunk)) this.#hear(message);
      } catch {
        socket.destroy();
      }
    });
    socket.on('error', () => undefined);
    socket.on('end', () => socket.destroy());
    socket.on('close', () => {
      for (const { fail } of this.#pending.values()) fail(new Error('the connection ended'));
      this.#pending.clear();
      for (const listener of this.#watchers.values()) listener(undefined);
    });
    socket.unref();
  }

  /** @throws MullionError `host_unfit` when the store does not run */
  static async open(): Promise<XenStore> {
    for (const path of SOCKETS) {
      try {
        return new XenStore(await connectUnixSocket(path, CONNECT_MS));
      } catch {
        // The next one, or the failure below.
      }
    }
    throw new MullionError('host_unfit', "Xen's store does not answer.", {
      remedy: 'Start the toolstack: systemctl start xen',
    });
  }

  get closed(): boolean {
    return this.#socket.destroyed;
  }

  /** The value; undefined when there is none. */
  async read(path: string): Promise<string | undefined> {
    const payload = await this.#ask(OPERATION.read, words(path), ['ENOENT']);
    return payload?.toString('utf8');
  }

  /** Names below a path; none when there is no such path. */
  async list(path: string): Promise<string[]> {
    return splitWords((await this.#ask(OPERATION.directory, words(path), ['ENOENT'])) ?? Buffer.alloc(0));
  }

  /** Permissions as in xenstore-chmod(1): the owner first, for example `n0` and `r5`. */
  async write(path: string, value: string, permissions?: readonly string[]): Promise<void> {
    await this.#ask(OPERATION.write, Buffer.concat([words(path), Buffer.from(value)]));
    if (permissions !== undefined) await this.#ask(OPERATION.setPermissions, words(path, ...permissions));
  }

  /** What is not there is fine. */
  async remove(path: string): Promise<void> {
    await this.#ask(OPERATION.remove, words(path), ['ENOENT']);
  }

  /** Calls back at once, at each change at or below the path, and when the connection ends. */
  async watch(path: string, token: string, listener: Listener): Promise<void> {
    this.#watchers.set(token, listener);
    await this.#ask(OPERATION.watch, words(path, token));
  }

  async unwatch(path: string, token: string): Promise<void> {
    this.#watchers.delete(token);
    if (!this.closed) await this.#ask(OPERATION.unwatch, words(path, token), ['ENOENT']);
  }

  close(): void {
    this.#watchers.clear();
    this.#socket.destroy();
  }

  async #ask(type: number, payload: Buffer, okErrors: readonly string[] = []): Promise<Buffer | undefined> {
    const request = this.#next;
    this.#next = (this.#next % 0x7fff_ffff) + 1;
    const reply = await new Promise<StoreMessage>((resolve, reject) => {
      const timer = setTimeout(() => this.#socket.destroy(), TIMEOUT_MS);
      const done = (): void => {
        clearTimeout(timer);
        this.#pending.delete(request);
      };
      this.#pending.set(request, {
        settle: (message) => {
          done();
          resolve(message);
        },
        fail: (cause) => {
          done();
          reject(failed('did not answer', cause));
        },
      });
      if (this.#socket.destroyed) this.#pending.get(request)?.fail(new Error('the connection has ended'));
      else this.#socket.write(encodeMessage(type, request, payload));
    });
    if (reply.type !== OPERATION.error) return reply.payload;
    const [code = ''] = splitWords(reply.payload);
    if (okErrors.includes(code)) return undefined;
    throw failed(`refused ${splitWords(payload)[0] ?? 'a request'}: ${code}`);
  }

  #hear(message: StoreMessage): void {
    if (message.type === OPERATION.watchEvent) {
      const [path, token = ''] = splitWords(message.payload);
      this.#watchers.get(token)?.(path);
    } else this.#pending.get(message.request)?.settle(message);
  }
}

const failed = (what: string, cause?: unknown): MullionError =>
  new MullionError('command_failed', `Xen's store ${what}.`, cause === undefined ? {} : { cause });
