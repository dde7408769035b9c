/** A budget for each key that refills with time: `rate` a second, at most `burst` at once. Bounded in memory. */
export class RequestBudget {
  readonly #rate: number;
  readonly #burst: number;
  readonly #keys: number;
  readonly #levels = new Map<string, { left: number; at: number }>();

  constructor(rate: number, burst: number, keys = 10_000) {
    this.#rate = rate;
    this.#burst = burst;
    this.#keys = keys;
  }

  /** Takes one, if there is one left. `now` in milliseconds. */
  take(key: string, now: number): boolean {
    const left = this.#left(key, now);
    const granted = left >= 1;
    this.#levels.delete(key);
    this.#levels.set(key, { left: granted ? left - 1 : left, at: now });
    const [oldest] = this.#levels.keys();
    if (this.#levels.size > this.#keys && oldest !== undefined) this.#levels.delete(oldest);
    return granted;
  }

  #left(key: string, now: number): number {
    const known = this.#levels.get(key);
    if (known === undefined) return this.#burst;
    return Math.min(this.#burst, known.left + ((now - known.at) / 1000) * this.#rate);
  }
}
