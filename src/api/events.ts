import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Event } from '../contract/tasks.ts';

const KEEP_ALIVE_MS = 15_000;
/** A reader that takes nothing for this long is given up. */
const STUCK_MS = 60_000;

/** Writes server-sent events (HTML standard, section 9.2) until the reader or the source ends. */
export async function streamEvents(
  response: ServerResponse,
  events: AsyncIterable<Event>,
  signal: AbortSignal,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  response.write(': open\n\n');
  let stuckSince: number | undefined;
  const keepAlive = setInterval(() => {
    stuckSince = response.writableNeedDrain ? (stuckSince ?? performance.now()) : undefined;
    const isStuck = stuckSince !== undefined && performance.now() - stuckSince > STUCK_MS;
    if (isStuck) response.destroy();
    else if (stuckSince === undefined) response.write(': alive\n\n');
  }, KEEP_ALIVE_MS);
  try {
    for await (const event of events) {
      const accepted = response.write(
        `id: ${event.id}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
      );
      if (!accepted) await once(response, 'drain', { signal });
    }
  } catch (failure) {
    if (!signal.aborted) throw failure;
  } finally {
    clearInterval(keepAlive);
    response.end();
  }
}
