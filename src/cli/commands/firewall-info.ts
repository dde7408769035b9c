import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { showGroup } from '../firewall-view.ts';

export const command = defineCommand({
  summary: 'show a firewall group with its rules',
  description: 'The first rule that fits a connection decides. Each shows how many packets it decided on.',
  arguments: { group: { label: 'GROUP', summary: 'name of a group' } },
  flags: {},
  examples: [{ line: 'mullion firewall info web', does: 'its rules, with their numbers' }],
  seeAlso: ['firewall rule add', 'firewall rule remove'],
  run: async (context, { arguments: { group: name } }) => {
    const group = await context.client.call('firewall.info', { params: { name }, query: context.project });
    if (context.json) printJson(context, group);
    else {
      showGroup(context, group);
      say(context, group.members.length === 0 ? 'No VPS is in it.' : `Members: ${group.members.join(', ')}`);
    }
    return 0;
  },
});
