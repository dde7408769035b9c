import type { Event } from '../contract/tasks.ts';
import type { EventFilter } from './contract.ts';

/** Events that are remembered for a reader that comes back, and that may wait for a slow one. */
const LIMIT = 1_000;

interface Reader {
  readonly filter: EventFilter;
  readonly waiting: Event[];
  wake: () => void;
}

export class EventHub {
  readonly #clock: () => Date;
  readonly #readers = new Set<Reader>();
  #recent: Event[] = [];
  #last = 0;
  #closed = false;

  constructor(clock: () => Date) {
    this.#clock = clock;
  }

  emit(type: string, project: string, target: string, data: Readonly<Record<string, unknown>>): void {
    this.#last += 1;
    const event: Event = { id: this.#last, time: this.#clock().toISOString(), type, project, target, data };
    this.#recent.push(event);
    if (this.#recent.length > 2 * LIMIT) this.#recent = this.#recent.slice(-LIMIT);
    for (const reader of this.#readers) {
      if (!matches(event, reader.filter)) continue;
      reader.waiting.push(event);
      if (reader.waiting.length > LIMIT) reader.waiting.shift();
      reader.wake();
    }
  }

  /** Listens from this call on, not only from the first read. */
  subscribe(filter: EventFilter, signal: AbortSignal): AsyncIterable<Event> {
    const { after } = filter;
    const past = after === undefined ? [] : this.#recent.filter(({ id }) => id > after);
    const reader: Reader = {
      filter,
      waiting: past.filter((event) => matches(event, filter)).slice(-LIMIT),
      wake: () => undefined,
    };
    this.#readers.add(reader);
    const leave = (): void => {
      this.#readers.delete(reader);
      reader.wake();
    };
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    return this.#read(reader, signal, leave);
  }

  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) reader.wake();
  }

  async *#read(reader: Reader, signal: AbortSignal, leave: () => void): AsyncGenerator<Event> {
    try {
      while (!signal.aborted) {
        const event = reader.waiting.shift();
        if (event !== undefined) {
          yield event;
          continue;
        }
        if (this.#closed) return;
        await new Promise<void>((resolve) => {
          reader.wake = resolve;
        });
      }
    } finally {
      signal.removeEventListener('abort', leave);
      this.#readers.delete(reader);
    }
  }
}

const matches = (event: Event, filter: EventFilter): boolean =>
  (filter.project === undefined || event.project === filter.project) &&
  (filter.task === undefined || event.data.task === filter.task);
