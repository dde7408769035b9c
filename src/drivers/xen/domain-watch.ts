import type { MachineEnd } from '../driver.ts';
import { type Domain, endOf, hasEnded, listDomains } from './domains.ts';
import type { StoreConnection } from './store-connection.ts';

/** Xen's store tells of each domain that has shut down or gone under this name (Xen, docs/misc/xenstore.txt, WATCH). */
const EVENT = '@releaseDomain';
const TOKEN = 'mullion-ends';
/** Asks anyway after this time: the store may have been started anew. */
const INTERVAL_MS = 10_000;
const LATENESS_MS = 20;

interface Watch {
  readonly uuid: string;
  readonly listener: (end: MachineEnd) => void;
}

/** Hears of the ends of all domains together: one listing for each event, whatever the number of guests. */
export class DomainWatch {
  readonly #connection: StoreConnection;
  readonly #watches = new Set<Watch>();
  #listing: Promise<unknown> = Promise.resolve();
  #next: Promise<Domain[]> | undefined;
  #isSubscribed = false;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;

  constructor(connection: StoreConnection) {
    this.#connection = connection;
  }

  /** Calls back once when the domain has ended, also when it had ended before. Returns the way to stop. */
  add(uuid: string, listener: (end: MachineEnd) => void): () => void {
    const watch = { uuid, listener };
    this.#watches.add(watch);
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => {
        this.#subscribe();
        this.#look();
      }, INTERVAL_MS).unref();
      this.#subscribe();
    }
    this.#look();
    return () => this.#drop(watch);
  }

  /**
   * All domains of the host. Questions that wait for their turn share an answer; a listing that has begun may not know
   * of what the caller did just before.
   */
  list(): Promise<Domain[]> {
    this.#next ??= this.#listing.then(() => {
      this.#next = undefined;
      const listing = listDomains();
      this.#listing = listing.catch(() => undefined);
      return listing;
    });
    return this.#next;
  }

  async find(uuid: string): Promise<Domain | undefined> {
    return (await this.list()).find((domain) => domain.uuid === uuid);
  }

  close(): void {
    this.#watches.clear();
    this.#stop();
  }

  #subscribe(): void {
    if (this.#isSubscribed) return;
    this.#isSubscribed = true;
    this.#connection
      .use()
      .then((store) =>
        store.watch(EVENT, TOKEN, (event) => {
          if (event === undefined) this.#isSubscribed = false;
          this.#look();
        }),
      )
      .catch(() => {
        this.#isSubscribed = false;
      });
  }

  #look(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.#check().catch(() => undefined);
    }, LATENESS_MS).unref();
  }

  async #check(): Promise<void> {
    if (this.#watches.size === 0) return;
    const domains = await this.list();
    for (const watch of [...this.#watches]) {
      const domain = domains.find(({ uuid }) => uuid === watch.uuid);
      if (domain !== undefined && !hasEnded(domain)) continue;
      if (this.#drop(watch)) watch.listener(endOf(domain));
    }
  }

  #drop(watch: Watch): boolean {
    const known = this.#watches.delete(watch);
    if (this.#watches.size === 0) this.#stop();
    return known;
  }

  #stop(): void {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    this.#timer = undefined;
    this.#soon = undefined;
  }
}
