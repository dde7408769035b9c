import { defineCommand } from '../command.ts';
import { printRecord } from '../print-record.ts';

export const command = defineCommand({
  summary: 'show one project',
  description: 'Shows how much the project owns.',
  arguments: { name: { label: 'NAME', summary: 'name of a project', complete: 'project' } },
  flags: {},
  examples: [{ line: 'mullion project info shop', does: 'what the tenant shop has' }],
  run: async (context, { arguments: { name } }) => {
    const project = await context.client.call('projects.info', { params: { name } });
    printRecord(context, project, [
      { label: 'Name', value: project.name, tone: 'bold' },
      { label: 'Description', value: project.description },
      { label: 'VPS', value: String(project.vps) },
      { label: 'Networks', value: String(project.networks) },
      { label: 'Made', value: project.createdAt },
    ]);
    return 0;
  },
});
