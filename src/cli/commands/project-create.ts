import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';

export const command = defineCommand({
  summary: 'create a project',
  description:
    'A project is a tenant: it owns VPSs, networks and images of its own. Use it with --project NAME.',
  arguments: { name: { label: 'NAME', summary: 'its name' } },
  flags: { description: { kind: 'text', value: 'TEXT', summary: 'what it is for' } },
  examples: [{ line: 'mullion project create shop', does: 'then: mullion launch ... --project shop' }],
  run: async (context, { arguments: { name }, flags: { description } }) => {
    const project = await context.client.call('projects.create', {
      body: { name, ...(description === undefined ? {} : { description }) },
    });
    if (context.json) printJson(context, project);
    else say(context, `The project ${project.name} is made; use it with --project ${project.name}`);
    return 0;
  },
});
