import { followParting, frontends, type Parting, partingChannels } from './channels.ts';
import type { StoreConnection } from './store-connection.ts';

/** A guest may write its side of the store as often as it likes. */
const LATENESS_MS = 10;
const RETRY_MS = 1_000;

/**
 * Follows a guest that lets its channels go before it switches itself off, step by step: its kernel would wait five
 * seconds for each (Linux, xenbus_dev_shutdown; in that state it hears of `closing` alone).
 */
export class ChannelService {
  readonly #connection: StoreConnection;
  readonly #domain: number;
  readonly #followed = new Map<number, Parting>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(connection: StoreConnection, domain: number) {
    this.#connection = connection;
    this.#domain = domain;
    this.#subscribe();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#connection
      .whenOpen((store) => store.unwatch(frontends(this.#domain), this.#token))
      .catch(() => undefined);
  }

  get #token(): string {
    return `mullion-channels-${this.#domain}`;
  }

  #subscribe(): void {
    this.#connection
      .use()
      .then((store) => store.watch(frontends(this.#domain), this.#token, (path) => this.#hear(path)))
      .catch(() => this.#hear(undefined));
  }

  #hear(path: string | undefined): void {
    if (this.#closed) return;
    if (path === undefined) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#after(RETRY_MS, () => this.#subscribe());
    } else this.#after(LATENESS_MS, () => this.#look().catch(() => undefined));
  }

  #after(ms: number, action: () => void): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      if (!this.#closed) action();
    }, ms).unref();
  }

  async #look(): Promise<void> {
    const store = await this.#connection.use();
    for (const [channel, state] of await partingChannels(store, this.#domain)) {
      if (this.#closed || this.#followed.get(channel) === state) continue;
      this.#followed.set(channel, state);
      await followParting(store, this.#domain, channel, state);
    }
  }
}
