import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'freeze VPSs where they are',
  description:
    'Every process stops where it is and uses no processor; memory stays in use. Go on with resume.',
  arguments: { names: MANY_VPS },
  flags: {},
  examples: [{ line: 'mullion pause web', does: 'freeze one' }],
  run: (context, { arguments: { names } }) =>
    runVerb(context, names, 'is paused', (name) =>
      context.client.call('vps.pause', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
