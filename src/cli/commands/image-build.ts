import { MullionError } from '../../contract/error-table.ts';
import type { BuildImageRequest } from '../../contract/resources.ts';
import { defineCommand } from '../command.ts';
import { printJson, say } from '../context.ts';
import { firstWait, followTask, handedOver } from '../follow.ts';

export const command = defineCommand({
  summary: 'build an image from the Debian mirror of this host',
  description:
    'The name tells the release: debian/12 or debian/13, with a part of your own added for variants. A build that broke off is resumed by the next one; an image that is there already is not built again.\n\nA recipe says the suite, packages, users, files and commands of an image, in YAML; docs/how-to/images.md describes it. Its commands run as root of the image, in a jail without a network.',
  arguments: { name: { label: 'NAME', summary: 'such as debian/12 or debian/12/web', arity: 'optional' } },
  flags: {
    file: { kind: 'text', short: 'f', value: 'RECIPE', summary: 'a recipe in YAML', complete: 'file' },
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
    { line: 'mullion image build -f web.yaml web', does: 'from a recipe' },
  ],
  seeAlso: ['image list', 'launch'],
  run: async (context, { arguments: { name }, flags }) => {
    const body = await requestOf(name, flags);
    const begun = await context.client.call('images.build', {
      query: { ...context.project, wait: firstWait(context) },
      body,
    });
    if (handedOver(context, begun)) return 0;
    const task = await followTask(context, begun);
    if (context.json) printJson(context, task);
    else say(context, `The image ${body.name} is there; use it with: mullion launch ${body.name} NAME`);
    return 0;
  },
});

interface BuildFlags {
  readonly file: string | undefined;
  readonly suite: 'bookworm' | 'trixie' | undefined;
  readonly include: readonly string[];
}

async function requestOf(
  name: string | undefined,
  { file, suite, include }: BuildFlags,
): Promise<BuildImageRequest> {
  const packages = include.flatMap((word) => word.split(',')).filter((word) => word !== '');
  if (file === undefined) {
    if (name !== undefined) return { name, ...(suite === undefined ? {} : { suite }), include: packages };
    throw new MullionError('invalid_request', 'NAME is missing, and no recipe names the image.', {
      remedy: 'See: mullion image build --help',
    });
  }
  // Only recipes need the parser and the schema.
  const { readRecipe } = await import('../recipe-file.ts');
  const recipe = readRecipe(file, name);
  return {
    ...recipe,
    ...(suite === undefined ? {} : { suite }),
    include: [...recipe.include, ...packages],
  };
}
