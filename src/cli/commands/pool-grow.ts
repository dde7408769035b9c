import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { readSize } from '../flag-value.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';

export const command = defineCommand({
  summary: 'make a storage pool larger',
  description: 'SIZE is the new size of the whole pool. VPSs go on meanwhile. A pool cannot be made smaller.',
  arguments: {
    name: { label: 'NAME', summary: 'name of a pool', complete: 'pool' },
    size: { label: 'SIZE', summary: 'the new size, such as 40G' },
  },
  flags: {},
  examples: [{ line: 'mullion pool grow default 40G', does: 'up to 40 GiB in all' }],
  seeAlso: ['pool info'],
  run: async (context, { arguments: { name, size } }) => {
    const begun = await context.client.call('pools.grow', {
      params: { name },
      query: { wait: firstWait(context) },
      body: { size: readSize('SIZE', size, 'pool grow') },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `The pool ${name} has ${size}`);
    return 0;
  },
});
