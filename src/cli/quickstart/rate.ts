/** How fast a number grows and when it arrives; over the last `windowMs`, so that a stall shows. */
export class RateMeter {
  readonly #total: number;
  readonly #windowMs: number;
  readonly #samples: { readonly at: number; readonly done: number }[] = [];

  constructor(total: number, windowMs = 10_000) {
    this.#total = total;
    this.#windowMs = windowMs;
  }

  /** `now` in milliseconds. Units a second and seconds left; empty until there is something to measure. */
  measure(done: number, now: number): { readonly rate?: number; readonly secondsLeft?: number } {
    this.#samples.push({ at: now, done });
    while (this.#samples.length > 2 && now - (this.#samples[0]?.at ?? now) > this.#windowMs)
      this.#samples.shift();
    const first = this.#samples[0];
    if (first === undefined || now - first.at < 500 || done <= first.done) return {};
    const rate = ((done - first.done) * 1000) / (now - first.at);
    return { rate, secondsLeft: Math.max(0, (this.#total - done) / rate) };
  }
}
