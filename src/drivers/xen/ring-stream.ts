import { Duplex } from 'node:stream';
import { type EventChannel, EventChannels } from '../../host/xen/events.ts';
import { mapGrant } from '../../host/xen/grants.ts';
import { ConsoleRing } from './console-ring.ts';

/** What may wait to be read. Those who speak over a channel agree on less; a guest that sends more is cut off. */
const UNREAD_LIMIT = 4 * 1024 * 1024;

/** A guest that goes on as fast as it is answered must not keep the daemon from all else. */
const TURNS = 64;

const events = new EventChannels();

export interface RingAddress {
  readonly domain: number;
  readonly reference: number;
  readonly port: number;
}

/** A guest's console as a stream. @throws SystemError when the guest has taken its ring away, or another holds it */
export function openRing({ domain, reference, port }: RingAddress): Duplex {
  const page = mapGrant(domain, reference);
  try {
    let event: EventChannel | undefined;
    const stream = new RingStream(
      new ConsoleRing(page.bytes),
      () => event?.notify(),
      () => {
        event?.close();
        page.release();
      },
    );
    event = events.bind(domain, port, () => stream.exchange());
    setImmediate(() => stream.exchange());
    return stream;
  } catch (failure) {
    page.release();
    throw failure;
  }
}

/** Both rings of a console. What the guest writes is always taken at once: it spins on its processor while its ring is full. */
export class RingStream extends Duplex {
  readonly #ring: ConsoleRing;
  readonly #notify: () => void;
  readonly #release: () => void;
  #waiting: { rest: Buffer; readonly done: (failure?: Error) => void } | undefined;
  #exchanging = false;
  #again = false;

  /**
   * @param notify tells the guest that its rings have changed
   * @param release called once, when nothing touches the rings any more
   */
  constructor(ring: ConsoleRing, notify: () => void, release: () => void) {
    super({ allowHalfOpen: true });
    this.#ring = ring;
    this.#notify = notify;
    this.#release = release;
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (failure?: Error) => void): void {
    this.#waiting = { rest: chunk, done };
    this.exchange();
  }

  override _destroy(failure: Error | null, done: (failure: Error | null) => void): void {
    this.#release();
    done(failure);
  }

  /**
   * Takes what the guest has written, and gives it what there is room for. A reader that writes comes back here while it
   * reads: what has come meanwhile waits until it has read to the end of what it has.
   */
  exchange(): void {
    this.#again = true;
    if (this.#exchanging) return;
    this.#exchanging = true;
    try {
      for (let turns = 0; this.#again && !this.destroyed; turns += 1) {
        if (turns === TURNS) {
          setImmediate(() => this.exchange());
          break;
        }
        this.#again = false;
        this.#once();
      }
    } catch (failure) {
      this.destroy(failure instanceof Error ? failure : new Error(String(failure)));
    } finally {
      this.#exchanging = false;
    }
  }

  #once(): void {
    const taken = this.#ring.take();
    const waiting = this.#waiting;
    const given = waiting === undefined ? 0 : this.#ring.give(waiting.rest);
    if (taken.length > 0 || given > 0) this.#notify();
    if (waiting !== undefined) {
      waiting.rest = waiting.rest.subarray(given);
      if (waiting.rest.length === 0) {
        this.#waiting = undefined;
        waiting.done();
      }
    }
    if (taken.length > 0) this.push(taken);
    if (this.readableLength > UNREAD_LIMIT) throw new Error('the guest sent more than was asked for');
  }
}
