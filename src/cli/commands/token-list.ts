import { defineCommand } from '../command.ts';
import { formatAge } from '../output/duration.ts';
import { printTable } from '../print-table.ts';

export const command = defineCommand({
  summary: 'list tokens, without their secrets',
  description: 'Shows who may use the API over the network, what for, and until when.',
  arguments: {},
  flags: {},
  examples: [{ line: 'mullion token list', does: 'every token of this host' }],
  seeAlso: ['token create', 'token delete'],
  run: async (context) => {
    printTable(
      context,
      [
        { title: 'NAME', value: (token) => token.name, shrink: 1, least: 10 },
        { title: 'SCOPE', value: (token) => token.scope },
        { title: 'PROJECT', value: (token) => token.project ?? '-' },
        { title: 'EXPIRES', value: (token) => expiry(token.expiresAt) },
        { title: 'LAST USED', value: (token) => formatAge(token.lastUsedAt, Date.now()) },
        { title: 'MADE BY', value: (token) => token.createdBy, shrink: 2, least: 8 },
      ],
      await context.client.call('tokens.list'),
      'There is no token. Make one with: mullion token create NAME',
    );
    return 0;
  },
});

const expiry = (time: string): string => (Date.parse(time) <= Date.now() ? 'expired' : time.slice(0, 10));
