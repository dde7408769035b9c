import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';

export const command = defineCommand({
  summary: 'make an image of a VPS or of one of its snapshots',
  description:
    'The VPS goes on and notices nothing. The image has all its files, with its logs, but nothing of its identity: machine id, SSH host keys, random seed, managed keys, first script and environment stay behind. Passwords and keys that you put into it are your own to remove first.\n\nA VPS of technique os becomes a root file system, of which a disk is made when a virtual machine needs one; a virtual machine becomes a disk.',
  arguments: {
    source: { label: 'NAME[/SNAP]', summary: 'a VPS, or one of its snapshots', complete: 'vps' },
    image: { label: 'IMAGE', summary: 'name of the new image' },
  },
  flags: { replace: { kind: 'boolean', summary: 'take the place of an image of that name' } },
  examples: [
    { line: 'mullion image publish web web/golden', does: 'the VPS as it is now' },
    { line: 'mullion image publish web/before-upgrade web/old', does: 'one of its snapshots' },
  ],
  seeAlso: ['copy', 'snapshot create', 'image export'],
  run: async (context, { arguments: { source, image }, flags: { replace } }) => {
    const [vps = '', ...rest] = source.split('/');
    const begun = await context.client.call('images.publish', {
      query: { ...context.project, wait: firstWait(context) },
      body: { vps, name: image, replace, ...(rest.length === 0 ? {} : { snapshot: rest.join('/') }) },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `The image ${image} is there; use it with: mullion launch ${image} NAME`);
    return 0;
  },
});
