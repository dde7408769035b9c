import type { FirewallGroup } from '../../contract/firewall.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'take VPSs out of a firewall group',
  description:
    'A VPS that is in no group any more is in the group default where there is one, else it is reached by its whole network.',
  arguments: {
    group: { label: 'GROUP', summary: 'name of a group' },
    vps: { label: 'NAME', summary: 'name of a VPS', arity: 'many', complete: 'vps' },
  },
  flags: {},
  examples: [{ line: 'mullion firewall leave web blog', does: 'no longer guard one' }],
  seeAlso: ['firewall join', 'firewall info'],
  run: async (context, { arguments: { group: name, vps: names } }) => {
    const changed: FirewallGroup[] = [];
    for (const vps of names) {
      changed.push(
        await context.client.call('firewall.leave', { params: { name, vps }, query: context.project }),
      );
      if (!context.json) say(context, `${vps} is no longer in the firewall group ${name}`);
    }
    if (context.json) printJson(context, changed.at(-1));
    return 0;
  },
});
