import type { FirewallGroup } from '../../contract/firewall.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'put VPSs into a firewall group',
  description:
    'From now on they get in only what the rules of their groups accept. A VPS may be in several groups; the rules of the one that was made first come first.',
  arguments: {
    group: { label: 'GROUP', summary: 'name of a group' },
    vps: { label: 'NAME', summary: 'name of a VPS', arity: 'many', complete: 'vps' },
  },
  flags: {},
  examples: [{ line: 'mullion firewall join web blog shop', does: 'guard two of them' }],
  seeAlso: ['firewall leave', 'firewall info'],
  run: async (context, { arguments: { group: name, vps: names } }) => {
    const changed: FirewallGroup[] = [];
    for (const vps of names) {
      changed.push(
        await context.client.call('firewall.join', {
          params: { name },
          query: context.project,
          body: { vps },
        }),
      );
      if (!context.json) say(context, `${vps} is in the firewall group ${name}`);
    }
    if (context.json) printJson(context, changed.at(-1));
    return 0;
  },
});
