import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';

export const command = defineCommand({
  summary: 'build an image from the Debian mirror of this host',
  description:
    'The name tells the release: debian/12 or debian/13, with a part of your own added for variants. A build that broke off is resumed by the next one; an image that is there already is not built again.',
  arguments: { name: { label: 'NAME', summary: 'such as debian/12 or debian/12/web' } },
  flags: {
    suite: {
      kind: 'choice',
      choices: ['bookworm', 'trixie'],
      summary: 'the Debian release, for other names',
    },
    include: { kind: 'texts', value: 'PACKAGE[,...]', summary: 'packages to add' },
  },
  examples: [
    { line: 'mullion image build debian/12', does: 'the plain image' },
    { line: 'mullion image build debian/12/web --include nginx,curl', does: 'with packages in it' },
  ],
  seeAlso: ['image list', 'launch'],
  run: async (context, { arguments: { name }, flags: { suite, include } }) => {
    const packages = include.flatMap((word) => word.split(',')).filter((word) => word !== '');
    const begun = await context.client.call('images.build', {
      query: { ...context.project, wait: firstWait(context) },
      body: {
        name,
        ...(suite === undefined ? {} : { suite }),
        ...(packages.length === 0 ? {} : { include: packages }),
      },
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `The image ${name} is there; use it with: mullion launch ${name} NAME`);
    return 0;
  },
});
