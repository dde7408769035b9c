import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';
import { SNAPSHOT, VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'take a VPS back to a snapshot',
  description:
    'The data becomes what the snapshot holds, in one step; all that was written since is gone, and the snapshot stays. A VPS that runs is killed for it, as its present state is given up, and started again. Its limits, address and other properties stay as they are now. A snapshot with memory (--stateful) brings back the machine as it ran, also when the VPS is stopped now; where that cannot be, because QEMU or Xen, the processor or its limits have changed since, it boots, and says so. A snapshot from before a conversion brings the technique of then back too, where the present one keeps its data in another form. To keep the present too, make a snapshot of it first.',
  arguments: { name: VPS, snapshot: SNAPSHOT },
  flags: {},
  examples: [
    { line: 'mullion snapshot restore web before-upgrade', does: 'undo the upgrade' },
    {
      line: 'mullion copy web/before-upgrade web-old',
      does: 'look at what it was in a new VPS instead',
    },
  ],
  seeAlso: ['snapshot create', 'copy'],
  run: (context, { arguments: { name, snapshot } }) =>
    runVerb(context, [name], `is what it was at ${snapshot}`, () =>
      context.client.call('snapshots.restore', {
        params: { name, snapshot },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
