import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'start stopped VPSs',
  description: 'Several are started side by side; each is reported. A VPS that runs already is left alone.',
  arguments: { names: MANY_VPS },
  flags: {},
  examples: [
    { line: 'mullion start web', does: 'start one' },
    { line: 'mullion start web db cache', does: 'start three at once' },
  ],
  run: (context, { arguments: { names } }) =>
    runVerb(context, names, 'is running', (name) =>
      context.client.call('vps.start', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
