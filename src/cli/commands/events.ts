import type { Event } from '../../contract/tasks.ts';
import { defineCommand } from '../command.ts';
import { type Context, printJson } from '../context.ts';
import { sanitizeLine } from '../output/sanitize.ts';

/** Remembered events come at once: when none came for this long, they have all come. */
const QUIET_MS = 300;

export const command = defineCommand({
  summary: 'show what happened lately, or as it happens',
  description:
    'Shows the events that the daemon still remembers. With --follow it shows events as they happen, until Ctrl-C; with --json then one document a line.',
  arguments: {},
  flags: { follow: { kind: 'boolean', short: 'f', summary: 'show events as they happen' } },
  examples: [
    { line: 'mullion events', does: 'what happened lately' },
    { line: 'mullion events --follow --json | jq .type', does: 'for a script' },
  ],
  seeAlso: ['task list', 'logs'],
  run: async (context, { flags: { follow } }) => {
    const ending = new AbortController();
    const events = await context.client.events({
      query: { ...context.project, ...(follow ? {} : { after: 0 }) },
      signal: ending.signal,
    });
    if (follow) {
      for await (const event of events) show(context, event);
      return 0;
    }
    const past = await collect(events, ending);
    if (context.json) printJson(context, past);
    else for (const event of past) show(context, event);
    return 0;
  },
});

async function collect(events: AsyncIterable<Event>, ending: AbortController): Promise<Event[]> {
  const past: Event[] = [];
  const timer = setTimeout(() => ending.abort(), QUIET_MS);
  try {
    for await (const event of events) {
      past.push(event);
      timer.refresh();
    }
  } catch (cause) {
    if (!ending.signal.aborted) throw cause;
  } finally {
    clearTimeout(timer);
  }
  return past;
}

function show(context: Context, event: Event): void {
  const { terminal } = context;
  if (context.json) {
    terminal.print(JSON.stringify(event));
    return;
  }
  const data = Object.entries(event.data)
    .filter(([, value]) => typeof value !== 'object')
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(' ');
  terminal.print(
    `${terminal.style('dim', event.time)}  ${terminal.style('cyan', event.type)}  ${sanitizeLine(event.target)}  ${sanitizeLine(data)}`.trimEnd(),
  );
}
