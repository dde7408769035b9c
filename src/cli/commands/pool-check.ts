import { formatSize } from '../../contract/size-text.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';

export const command = defineCommand({
  summary: 'read all data of a pool and compare it with its checksums',
  description:
    'What does not fit and has a second copy is repaired, and a warning says how much that was; the command fails when something could not be. VPSs go on meanwhile; it reads the whole pool, so it takes its time.',
  arguments: { name: { label: 'NAME', summary: 'name of a pool', complete: 'pool' } },
  flags: {},
  examples: [{ line: 'mullion pool check default', does: 'is all data still what was written?' }],
  seeAlso: ['pool info'],
  run: async (context, { arguments: { name } }) => {
    const begun = await context.client.call('pools.check', {
      params: { name },
      query: { wait: firstWait(context) },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    const read = task.progress.children[0]?.done;
    const whole = task.warnings.length > 0 ? 'is whole again' : 'is whole';
    say(context, `The pool ${name} ${whole}${read === undefined ? '' : `: ${formatSize(read)} were read`}.`);
    return 0;
  },
});
