import { defineCommand } from '../command.ts';
import { createTextSanitizer } from '../output/sanitize.ts';
import { plainStyle } from '../output/style.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'show what a VPS wrote to its console',
  description:
    'Works on a stopped VPS too. On a terminal, escape sequences other than colours are taken out, as a guest may not steer your terminal; in a pipe the bytes are those that the guest wrote. With --json it prints one document, with --follow --json one a line for each piece that comes: their texts joined are the log.',
  arguments: { name: VPS },
  flags: {
    follow: { kind: 'boolean', short: 'f', summary: 'go on as more comes' },
    lines: { kind: 'number', value: 'N', short: 'n', summary: 'only the last N lines' },
  },
  examples: [
    { line: 'mullion logs web', does: 'all of it' },
    { line: 'mullion logs web --follow --lines 20', does: 'the last 20 lines, and what comes' },
    { line: 'mullion logs web --follow --json | jq -j .log', does: 'the same for a script' },
  ],
  seeAlso: ['console', 'events'],
  run: async (context, { arguments: { name }, flags }) => {
    const body = await context.client.stream('vps.logs', {
      params: { name },
      query: {
        ...context.project,
        ...(flags.follow ? { follow: 'true' } : {}),
        ...(flags.lines === undefined ? {} : { lines: flags.lines }),
      },
    });
    if (context.json) {
      const decoder = new TextDecoder();
      let text = '';
      const show = (): Promise<void> => write(`${JSON.stringify({ name, log: text })}\n`);
      for await (const piece of body) {
        text += decoder.decode(piece, { stream: true });
        if (!flags.follow || text === '') continue;
        await show();
        text = '';
      }
      text += decoder.decode();
      if (!flags.follow || text !== '') await show();
    } else if (context.terminal.isTerminal) {
      const colour = context.terminal.style !== plainStyle;
      const clean = createTextSanitizer(colour);
      const decoder = new TextDecoder();
      for await (const piece of body) await write(clean(decoder.decode(piece, { stream: true })));
      if (colour) await write('\x1b[0m');
    } else {
      for await (const piece of body) await write(piece);
    }
    return 0;
  },
});

/** Waits while the reader of standard output is slow. */
const write = (data: string | Uint8Array): Promise<void> =>
  new Promise((resolve) => {
    if (process.stdout.write(data)) resolve();
    else process.stdout.once('drain', resolve);
  });
