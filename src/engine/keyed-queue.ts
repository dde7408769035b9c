/** Work of one key runs one after another; of different keys, side by side. */
export class KeyedQueue {
  readonly #tails = new Map<string, Promise<void>>();

  /** Begins at once, before it returns, when nothing of the key runs or waits. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before === undefined ? work() : before.then(work);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.#tails.set(key, tail);
    void tail.then(() => {
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    });
    return result;
  }

  /** Settles when everything that runs or waits now has ended. */
  async drained(): Promise<void> {
    await Promise.all(this.#tails.values());
  }
}
