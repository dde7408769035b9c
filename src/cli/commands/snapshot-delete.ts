import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { SNAPSHOT, VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'delete a snapshot of a VPS',
  description: 'The VPS and its other snapshots stay as they are. Space that only this one kept comes back.',
  arguments: { name: VPS, snapshot: SNAPSHOT },
  flags: {},
  examples: [{ line: 'mullion snapshot delete web before-upgrade', does: 'the upgrade went well' }],
  seeAlso: ['snapshot list'],
  run: (context, { arguments: { name, snapshot } }) =>
    runVerb(context, [name], `has no snapshot ${snapshot} any more`, () =>
      context.client.call('snapshots.delete', {
        params: { name, snapshot },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
