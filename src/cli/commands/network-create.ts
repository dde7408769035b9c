import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'create a network',
  description:
    'A private segment with its own bridge, addresses and names. VPSs of other networks and projects cannot reach it.',
  arguments: { name: { label: 'NAME', summary: 'its name' } },
  flags: { ipv4: { kind: 'text', value: 'SUBNET', summary: 'such as 10.80.0.0/24; chosen when absent' } },
  examples: [
    { line: 'mullion network create back', does: 'let Mullion choose the subnet' },
    { line: 'mullion network create back --ipv4 10.80.0.0/24', does: 'choose it yourself' },
  ],
  seeAlso: ['launch', 'network delete'],
  run: async (context, { arguments: { name }, flags: { ipv4 } }) => {
    const network = await context.client.call('networks.create', {
      query: context.project,
      body: { name, ...(ipv4 === undefined ? {} : { ipv4 }) },
    });
    if (context.json) printJson(context, network);
    else say(context, `The network ${network.name} has ${network.ipv4} and ${network.ipv6}`);
    return 0;
  },
});
