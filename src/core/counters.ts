import type { Family, Labels, Sample } from './exposition.ts';

/** Counters of this process. Labels must be few: each set of them is kept. */
export class Counters {
  readonly #kinds = new Map<string, { help: string; samples: Map<string, Sample> }>();

  /** Does nothing when it is declared already. */
  declare(name: string, help: string): void {
    if (!this.#kinds.has(name)) this.#kinds.set(name, { help, samples: new Map() });
  }

  /** @throws TypeError when it was not declared */
  add(name: string, labels: Labels, by = 1): void {
    const kind = this.#kinds.get(name);
    if (kind === undefined) throw new TypeError(`no counter ${name} is declared`);
    const key = JSON.stringify(labels);
    kind.samples.set(key, { labels, value: (kind.samples.get(key)?.value ?? 0) + by });
  }

  families(): Family[] {
    return [...this.#kinds].map(([name, { help, samples }]) => ({
      name,
      type: 'counter',
      help,
      samples: [...samples.values()],
    }));
  }
}
