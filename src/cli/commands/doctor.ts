import type { Check } from '../../contract/resources.ts';
import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import type { Tone } from '../output/style.ts';
import { padEnd, textWidth, wrap } from '../output/width.ts';

const TONES: Readonly<Record<Check['state'], Tone>> = { ok: 'green', warning: 'yellow', failed: 'red' };
/** The host cannot do it. */
const UNFIT = 3;

export const command = defineCommand({
  summary: 'check this host and this installation',
  description:
    'Each check says what it saw; one that is not ok says what to do. Exits 3 when a check failed.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion doctor', does: 'when something does not work' }],
  seeAlso: ['techniques'],
  run: async (context) => {
    const checks = await context.client.call('doctor.run');
    const { terminal } = context;
    if (context.json) {
      printJson(context, checks);
    } else {
      const names = Math.max(...checks.map(({ name }) => textWidth(name)));
      const room = Math.min(terminal.width, 100) - names - 13;
      terminal.printAll(
        checks.flatMap(({ name, state, message, evidence, remedy }) => {
          const details = state === 'ok' ? [] : [...evidence, ...(remedy === '' ? [] : [`try: ${remedy}`])];
          return [message, ...details].flatMap((text, part) =>
            wrap(sanitizeLine(text), Math.max(30, room)).map((line, index) => {
              const first = part === 0 && index === 0;
              const label = `${terminal.style(TONES[state], padEnd(first ? state : '', 8))} ${padEnd(first ? name : '', names)}`;
              return `${label}  ${terminal.style(part === 0 ? undefined : 'dim', line)}`.trimEnd();
            }),
          );
        }),
      );
    }
    return checks.some(({ state }) => state === 'failed') ? UNFIT : 0;
  },
});
