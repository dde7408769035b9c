import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { readHostPort } from '../forward-text.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'stop sending a port of the host to a VPS',
  description: 'The host port alone says which forward is meant; HOSTPORT:VPSPORT is understood as well.',
  arguments: {
    name: VPS,
    forward: { label: 'HOSTPORT[:VPSPORT][/udp]', summary: 'the port of the host; tcp unless /udp is added' },
  },
  flags: {},
  examples: [{ line: 'mullion forward remove web 8080', does: 'take it back' }],
  seeAlso: ['forward add', 'forward list'],
  run: async (context, { arguments: { name, forward } }) => {
    const { hostPort, protocol } = readHostPort(forward, 'forward remove');
    await context.client.call('forwards.remove', {
      params: { name, protocol, hostPort },
      query: context.project,
    });
    if (context.json) printJson(context, { name, hostPort, protocol });
    else say(context, `${hostPort}/${protocol} goes to ${name} no more`);
    return 0;
  },
});
