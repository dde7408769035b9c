import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import { snapshotWords } from '../snapshot-view.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'keep the data of a VPS as it is now',
  description:
    'Takes no time and no space, whatever the size of the data, also while the VPS runs; what the VPS changes from then on takes space beside it. It holds one instant: at worst what a power failure would have left (crash), and where the guest can bring its file systems to rest, files that are whole (file-system). Of a stopped VPS it is clean. Each snapshot tells which. What a snapshot keeps does not count against the disk of the VPS; one that holds more than its disk itself gets no further snapshot until it holds less.\n\nWith --stateful a virtual machine stands still while its memory is written, for a second or so for each gigabyte that it uses, and the snapshot takes that space, which must be free beside what the pool keeps for VPSs. A restore brings the running machine back, with its clock put right; without --stateful it boots. The memory holds keys and passwords as any running server does: only root can read it.\n\nA snapshot lies in the same pool as the VPS and goes with it: it is no backup.',
  arguments: {
    name: VPS,
    snapshot: { label: 'SNAP', summary: 'its name; made up when absent', arity: 'optional' },
  },
  flags: {
    stateful: {
      kind: 'boolean',
      summary: 'keep its memory too: a restore brings it back as it runs now',
    },
  },
  examples: [
    { line: 'mullion snapshot create web before-upgrade', does: 'to go back to, should the upgrade fail' },
    { line: 'mullion snapshot create web', does: 'with a made-up name' },
    { line: 'mullion snapshot create lab mid-test --stateful', does: 'with all that runs in it' },
  ],
  seeAlso: ['snapshot restore', 'copy'],
  run: async (context, { arguments: { name, snapshot }, flags }) => {
    const begun = await context.client.call('snapshots.create', {
      params: { name },
      query: { ...context.project, wait: firstWait(context) },
      body: {
        ...(snapshot === undefined ? {} : { name: snapshot }),
        ...(flags.stateful ? { stateful: true } : {}),
      },
    });
    if (handedOver(context, begun)) return 0;
    await followTask(context, begun);
    const all = await context.client.call('snapshots.list', { params: { name }, query: context.project });
    const made = snapshot === undefined ? all.at(-1) : all.find((one) => one.name === snapshot);
    if (made === undefined) return 0;
    if (context.json) printJson(context, made);
    else say(context, `the snapshot ${made.name} of ${sanitizeLine(name)} is made: ${snapshotWords(made)}`);
    return 0;
  },
});
