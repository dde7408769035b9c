import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import { CONSISTENCY_WORDS } from '../snapshot-view.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'keep the data of a VPS as it is now',
  description:
    'Takes no time and no space, whatever the size of the data, also while the VPS runs; what the VPS changes from then on takes space beside it. It holds one instant: at worst what a power failure would have left (crash), and where the guest can bring its file systems to rest, files that are whole (file-system). Of a stopped VPS it is clean. Each snapshot tells which.\n\nA snapshot lies in the same pool as the VPS and goes with it: it is no backup.',
  arguments: {
    name: VPS,
    snapshot: { label: 'SNAP', summary: 'its name; made up when absent', arity: 'optional' },
  },
  flags: {},
  examples: [
    { line: 'mullion snapshot create web before-upgrade', does: 'to go back to, should the upgrade fail' },
    { line: 'mullion snapshot create web', does: 'with a made-up name' },
  ],
  seeAlso: ['snapshot restore', 'copy'],
  run: async (context, { arguments: { name, snapshot } }) => {
    const begun = await context.client.call('snapshots.create', {
      params: { name },
      query: { ...context.project, wait: firstWait(context) },
      body: snapshot === undefined ? {} : { name: snapshot },
    });
    if (handedOver(context, begun)) return 0;
    await followTask(context, begun);
    const all = await context.client.call('snapshots.list', { params: { name }, query: context.project });
    const made = snapshot === undefined ? all.at(-1) : all.find((one) => one.name === snapshot);
    if (made === undefined) return 0;
    if (context.json) printJson(context, made);
    else
      say(
        context,
        `the snapshot ${made.name} of ${sanitizeLine(name)} is made: ${CONSISTENCY_WORDS[made.consistency]}`,
      );
    return 0;
  },
});
