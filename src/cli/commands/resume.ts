import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'let paused VPSs go on',
  description: 'Processes go on where pause stopped them.',
  arguments: { names: MANY_VPS },
  flags: {},
  examples: [{ line: 'mullion resume web', does: 'let one go on' }],
  run: (context, { arguments: { names } }) =>
    runVerb(context, names, 'is running', (name) =>
      context.client.call('vps.resume', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
