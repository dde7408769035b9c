import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'delete a firewall group',
  description: 'Refused while VPSs are in it or a rule of another group names it.',
  arguments: { group: { label: 'GROUP', summary: 'name of a group' } },
  flags: {},
  examples: [{ line: 'mullion firewall delete old', does: 'delete one' }],
  seeAlso: ['firewall leave'],
  run: async (context, { arguments: { group } }) => {
    await context.client.call('firewall.delete', { params: { name: group }, query: context.project });
    if (context.json) printJson(context, { name: group });
    else say(context, `The firewall group ${group} is deleted`);
    return 0;
  },
});
