import { defineCommand } from '../command.ts';
import { firstWait } from '../follow.ts';
import { runVerb } from '../verb.ts';

export const command = defineCommand({
  summary: 'delete images',
  description: 'Refused while a VPS uses the image.',
  arguments: {
    names: { label: 'NAME', summary: 'names of one or more images', arity: 'many', complete: 'image' },
  },
  flags: {},
  examples: [{ line: 'mullion image delete debian/12/web', does: 'delete one' }],
  run: (context, { arguments: { names } }) =>
    runVerb(context, names, 'is deleted', (name) =>
      context.client.call('images.delete', {
        params: { name },
        query: { ...context.project, wait: firstWait(context) },
      }),
    ),
});
