import { defineCommand } from '../command.ts';
import { printTable } from '../print-table.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'list the host ports sent to a VPS',
  description: 'Shows each forward with its protocol.',
  arguments: { name: VPS },
  flags: {},
  examples: [{ line: 'mullion forward list web', does: 'the ports sent to web' }],
  seeAlso: ['forward add', 'forward remove'],
  run: async (context, { arguments: { name } }) => {
    const forwards = await context.client.call('forwards.list', { params: { name }, query: context.project });
    printTable(
      context,
      [
        { title: 'PROTOCOL', value: (forward) => forward.protocol },
        { title: 'HOST PORT', value: (forward) => String(forward.hostPort), align: 'right' },
        { title: 'VPS PORT', value: (forward) => String(forward.vpsPort), align: 'right' },
      ],
      forwards,
      `No port of the host is sent to ${name}. Add one with: mullion forward add ${name} 8080:80`,
    );
    return 0;
  },
});
