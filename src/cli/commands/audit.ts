import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'show who changed what',
  description:
    'Shows the last lines of the audit log: who asked for which change, what became of it, and how its task ended. It holds no secrets and nothing of what was sent. Reading is not written down, except of secrets, files and consoles.',
  arguments: {},
  flags: {
    lines: { kind: 'number', short: 'n', value: 'N', summary: 'at most so many lines', default: '50' },
  },
  examples: [
    { line: 'mullion audit', does: 'what was done lately' },
    { line: 'mullion audit -n 10000 --json', does: 'for a script' },
  ],
  seeAlso: ['events', 'token list'],
  run: async (context, { flags: { lines } }) => {
    printTable(
      context,
      [
        { title: 'TIME', value: (entry) => entry.time.slice(0, 19) },
        { title: 'WHO', value: (entry) => entry.who, shrink: 2, least: 8 },
        { title: 'FROM', value: (entry) => entry.from },
        { title: 'VERB', value: (entry) => entry.verb },
        { title: 'PROJECT', value: (entry) => entry.project, shrink: 3, least: 7 },
        { title: 'OBJECT', value: (entry) => entry.object, shrink: 1, least: 8 },
        { title: 'OUTCOME', value: (entry) => entry.outcome },
      ],
      await context.client.call('audit.list', { query: { lines: lines ?? 50 } }),
      'Nothing was changed yet.',
    );
    return 0;
  },
});
