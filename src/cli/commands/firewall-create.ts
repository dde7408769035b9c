import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'create a firewall group',
  description:
    'VPSs of a group get in only what its rules accept; out goes what no rule drops, and answers always pass. A group named default holds every VPS of its project that is in no other. Without any group, VPSs of one network reach each other, and from outside come forwards alone.',
  arguments: { group: { label: 'GROUP', summary: 'its name' } },
  flags: { description: { kind: 'text', value: 'TEXT', summary: 'what it is for' } },
  examples: [
    {
      line: 'mullion firewall create web',
      does: 'then: mullion firewall rule add web in --protocol tcp --port 80,443',
    },
    {
      line: 'mullion firewall create default',
      does: 'shut every VPS of the project that is in no other group',
    },
  ],
  seeAlso: ['firewall rule add', 'firewall join'],
  run: async (context, { arguments: { group }, flags: { description } }) => {
    const made = await context.client.call('firewall.create', {
      query: context.project,
      body: { name: group, ...(description === undefined ? {} : { description }) },
    });
    if (context.json) printJson(context, made);
    else say(context, `The firewall group ${made.name} is made; nothing gets in until a rule accepts it`);
    return 0;
  },
});
