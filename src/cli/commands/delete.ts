import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'delete VPSs and their data',
  description:
    'The data is gone for good. A VPS that runs is deleted only with --force, which kills it first. Several are deleted side by side; each is reported.',
  arguments: { names: MANY_VPS },
  flags: { force: { kind: 'boolean', short: 'f', summary: 'also when it runs' } },
  examples: [
    { line: 'mullion delete web', does: 'delete a stopped VPS' },
    { line: 'mullion delete web db --force', does: 'delete two, whatever they do' },
  ],
  run: (context, { arguments: { names }, flags: { force } }) =>
    runVerb(context, names, 'is deleted', (name) =>
      context.client.call('vps.delete', {
        params: { name },
        query: { ...context.project, wait: firstWait(context), ...(force ? { force: 'true' } : {}) },
      }),
    ),
});
