import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { STOP_FLAGS, stopRequest } from '../stop-flags.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'stop VPSs and start them again',
  description:
    'Shuts the guest down as stop does, then starts it. What was set for the next start takes effect.',
  arguments: { names: MANY_VPS },
  flags: STOP_FLAGS,
  examples: [{ line: 'mullion restart web', does: 'restart one' }],
  run: (context, { arguments: { names }, flags }) =>
    runVerb(context, names, 'is running', (name) =>
      context.client.call('vps.restart', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
        body: stopRequest(flags),
      }),
    ),
});
