import { statSync } from 'node:fs';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { localTarget, refuseJsonBeside, saveStream } from '../download.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'save a picture of the screen of a VPS',
  description:
    'The picture is PNG. A screen have guests that boot by a loader of their own, from a disk or an ISO image. Without FILE it goes into the current folder as NAME.png; - writes to standard output.',
  arguments: {
    name: VPS,
    file: { label: 'FILE', summary: 'a local file or folder, or -', arity: 'optional', complete: 'file' },
  },
  flags: {},
  examples: [
    { line: 'mullion screenshot installer', does: 'as installer.png' },
    { line: 'mullion screenshot installer - | feh -', does: 'into a viewer of pictures' },
  ],
  seeAlso: ['console', 'logs'],
  run: async (context, { arguments: { name, file } }) => {
    const target = file === '-' ? '-' : localTarget(`${name}.png`, file ?? '.');
    refuseJsonBeside(context, 'screenshot', target);
    const picture = await context.client.stream('vps.screenshot', {
      params: { name },
      query: context.project,
    });
    await saveStream(picture, target);
    if (target === '-') return 0;
    if (context.json) printJson(context, { name, file: target, size: statSync(target).size });
    else say(context, `The screen of ${name} is saved as ${target}`);
    return 0;
  },
});
