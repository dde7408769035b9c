import { XenStore } from './xenstore.ts';

/** One connection to Xen's store for the whole driver, opened when first needed and again after it was lost. */
export class StoreConnection {
  #store: Promise<XenStore> | undefined;

  async use(): Promise<XenStore> {
    const known = await this.#store?.catch(() => undefined);
    if (known !== undefined && !known.closed) return known;
    this.#store = XenStore.open();
    return this.#store;
  }

  /** Does something on the connection that is open, if one is. */
  async whenOpen(work: (store: XenStore) => Promise<void>): Promise<void> {
    const known = await this.#store?.catch(() => undefined);
    if (known !== undefined && !known.closed) await work(known);
  }

  close(): void {
    this.#store?.then(
      (store) => store.close(),
      () => undefined,
    );
    this.#store = undefined;
  }
}
