/** Of the processor time that a container may have: when it used so much of it in such a time, it is busy. */
const BUSY = 0.75;
const BUSY_MS = 1_000;
/** When it used less than this of it in such a time, it is not any more. */
const CALM = 0.6;
const CALM_MS = 2_000;
/** It gets less than this of its time, on processors of which more than this is used: then it lacks some. */
const FULL = 0.9;
/** Processors' worth that others use where it is kept, and looks in a row, after which it is let go. */
const MET = 0.2;
const MET_LOOKS = 2;
/** How long it is not kept then, at first and at most. */
const REST_MS = 10_000;
const LONGEST_REST_MS = 300_000;

/** Seconds of processor time used until a moment, in milliseconds. */
export interface Reading {
  readonly used: number;
  readonly at: number;
}

/** Processors that were used between two readings. */
export const shareOf = (last: Reading, now: Reading): number =>
  (1000 * (now.used - last.used)) / Math.max(1, now.at - last.at);

/** Whether a container is busy, and whether it lacks processors where it is kept. */
export class BusyWatch {
  readonly group: string;
  /** Processors that it may use, a fraction too. */
  cpus: number;
  #isBusy: boolean;
  #readings: Reading[] = [];
  #met = 0;
  #restMs = REST_MS;
  #restsUntil = 0;

  constructor(group: string, cpus: number, isBusy: boolean) {
    this.group = group;
    this.cpus = cpus;
    this.#isBusy = isBusy;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Processors that it used between the last two readings. */
  get share(): number {
    const [last, now] = this.#readings.slice(-2);
    return last === undefined || now === undefined ? 0 : shareOf(last, now);
  }

  /** What was read before is too old. */
  rest(): void {
    this.#readings = [];
  }

  read(now: Reading): void {
    const span = this.#isBusy ? CALM_MS : BUSY_MS;
    this.#readings.push(now);
    while (this.#readings.length > 2 && now.at - (this.#readings[1]?.at ?? now.at) >= span)
      this.#readings.shift();
    const [first = now] = this.#readings;
    if (now.at - first.at < span) return;
    const isBusy = shareOf(first, now) >= (this.#isBusy ? CALM : BUSY) * this.cpus;
    if (isBusy === this.#isBusy) return;
    this.#isBusy = isBusy;
    this.#readings = this.#readings.slice(-2);
    if (!isBusy) this.#restMs = REST_MS;
  }

  /** It is kept on so many processors, of which so much was used. */
  sharesWith(used: number, count: number, at: number): void {
    const { share } = this;
    const lacks = share < FULL * this.cpus && used > FULL * count && used - share > MET;
    this.#met = lacks ? this.#met + 1 : 0;
    if (this.#met < MET_LOOKS) return;
    this.#met = 0;
    this.#restsUntil = at + this.#restMs;
    this.#restMs = Math.min(2 * this.#restMs, LONGEST_REST_MS);
  }

  mayBeKept(at: number): boolean {
    return at >= this.#restsUntil;
  }
}
