import type { Event } from '../contract/tasks.ts';

/**
 * Events of a server-sent event stream (HTML Living Standard, section 9.2). Only `data` matters to us: each event
 * is one JSON document on one line.
 */
export async function* readEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<Event> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of body) {
    rest += decoder.decode(piece, { stream: true });
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line.startsWith('data:')) yield JSON.parse(line.slice(5)) as Event;
    }
  }
}
