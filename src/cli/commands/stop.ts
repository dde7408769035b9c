import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { STOP_FLAGS, stopRequest } from '../stop-flags.ts';
import { runVerb } from '../verb.ts';
import { MANY_VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'shut VPSs down',
  description:
    'Asks the guest to shut down, waits --timeout seconds for its end, then kills it. With --force it is killed at once.',
  arguments: { names: MANY_VPS },
  flags: STOP_FLAGS,
  examples: [
    { line: 'mullion stop web', does: 'shut one down' },
    { line: 'mullion stop web db --timeout 5', does: 'give two of them five seconds' },
    { line: 'mullion stop web --force', does: 'pull the plug' },
  ],
  run: (context, { arguments: { names }, flags }) =>
    runVerb(context, names, 'is stopped', (name) =>
      context.client.call('vps.stop', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
        body: stopRequest(flags),
      }),
    ),
});
