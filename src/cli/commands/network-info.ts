import { defineCommand } from '../command.ts';
import { printRecord } from '../print-record.ts';

export const command = defineCommand({
  summary: 'show one network',
  description: 'Shows its subnets, its bridge on the host and its domain.',
  arguments: { name: { label: 'NAME', summary: 'name of a network', complete: 'network' } },
  flags: {},
  examples: [{ line: 'mullion network info default', does: 'the network that VPSs join by default' }],
  run: async (context, { arguments: { name } }) => {
    const network = await context.client.call('networks.info', { params: { name }, query: context.project });
    printRecord(context, network, [
      { label: 'Name', value: network.name, tone: 'bold' },
      { label: 'Project', value: network.project },
      { label: 'IPv4', value: network.ipv4 },
      { label: 'IPv6', value: network.ipv6 },
      { label: 'Domain', value: network.domain },
      { label: 'Bridge', value: network.bridge },
      { label: 'Used by', value: `${network.usedBy} VPS` },
      { label: 'Made', value: network.createdAt },
    ]);
    return 0;
  },
});
