import { defineCommand } from '../command.ts';
import { printJson } from '../context.ts';
import { showGroup } from '../firewall-view.ts';

export const command = defineCommand({
  summary: 'remove a rule of a firewall group',
  description: 'By the number that mullion firewall info shows; those after it move up.',
  arguments: {
    group: { label: 'GROUP', summary: 'name of a group' },
    number: { label: 'NUMBER', summary: 'number of the rule, from 1' },
  },
  flags: {},
  examples: [{ line: 'mullion firewall rule remove web 2', does: 'remove the second' }],
  seeAlso: ['firewall info'],
  run: async (context, { arguments: { group: name, number } }) => {
    const group = await context.client.call('firewall.removeRule', {
      params: { name, number },
      query: context.project,
    });
    if (context.json) printJson(context, group);
    else showGroup(context, group);
    return 0;
  },
});
