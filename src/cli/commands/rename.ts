import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'give a VPS another name',
  description:
    'It is known by the new name here and on its network at once, and no more by the old one; its data, addresses, forwards and snapshots stay. A VPS that runs is told its new host name; what it started before may know the old one until its next start, and the command says so.',
  arguments: { name: VPS, next: { label: 'NEWNAME', summary: 'its new name' } },
  flags: {},
  examples: [{ line: 'mullion rename web shop', does: 'web is called shop from now on' }],
  seeAlso: ['copy', 'set'],
  run: (context, { arguments: { name, next } }) =>
    runVerb(context, [name], `is called ${next} now`, () =>
      context.client.call('vps.rename', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
        body: { name: next },
      }),
    ),
});
