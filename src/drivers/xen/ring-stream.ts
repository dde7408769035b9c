import { Duplex } from 'node:stream';
import { type EventChannel, EventChannels } from '../../host/xen/events.ts';
import { mapGrant } from '../../host/xen/grants.ts';
import { ConsoleRing } from './console-ring.ts';

/** What may wait to be read. Those who speak over a channel agree on less; a guest that sends more is cut off. */
const UNREAD_LIMIT = 4 * 1024 * 1024;

const events = new EventChannels();

export interface RingAddress {
  readonly domain: number;
  readonly reference: number;
  readonly port: number;
}

/**
 * A guest's console as a stream. What the guest writes is always taken at once: it spins on its processor while its ring
 * is full. @throws SystemError when the guest has taken its ring away, or another holds it
 */
export function openRing({ domain, reference, port }: RingAddress): Duplex {
  const page = mapGrant(domain, reference);
  try {
    const ring = new ConsoleRing(page.bytes);
    let waiting: { rest: Buffer; done: (failure?: Error) => void } | undefined;
    let closed = false;
    const event: EventChannel = events.bind(domain, port, () => exchange());
    const stream = new Duplex({
      allowHalfOpen: true,
      read: () => undefined,
      write: (chunk: Buffer, _encoding, done) => {
        waiting = { rest: chunk, done };
        exchange();
      },
      destroy: (failure, done) => {
        if (!closed) {
          closed = true;
          event.close();
          page.release();
        }
        done(failure);
      },
    });
    const exchange = (): void => {
      if (closed) return;
      try {
        const taken = ring.take();
        const given = waiting === undefined ? 0 : ring.give(waiting.rest);
        if (taken.length > 0 || given > 0) event.notify();
        if (taken.length > 0) stream.push(taken);
        if (stream.readableLength > UNREAD_LIMIT) throw new Error('the guest sent more than was asked for');
        if (waiting === undefined) return;
        waiting.rest = waiting.rest.subarray(given);
        if (waiting.rest.length > 0) return;
        const { done } = waiting;
        waiting = undefined;
        done();
      } catch (failure) {
        stream.destroy(failure instanceof Error ? failure : new Error(String(failure)));
      }
    };
    setImmediate(exchange);
    return stream;
  } catch (failure) {
    page.release();
    throw failure;
  }
}
