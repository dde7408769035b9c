/** Changes of one guest's view, one after the other, as each puts its mounts together at the same place. */
export class KeyedChanges {
  readonly #last = new Map<string, Promise<void>>();

  /** @throws what `change` throws */
  run(id: string, change: () => Promise<void>): Promise<void> {
    const own = (this.#last.get(id) ?? Promise.resolve()).then(change);
    const settled = own
      .catch(() => undefined)
      .then(() => {
        if (this.#last.get(id) === settled) this.#last.delete(id);
      });
    this.#last.set(id, settled);
    return own;
  }
}
