import { defineCommand } from '../command.ts';
import { resolveCommand } from '../resolve.ts';

export const command = defineCommand({
  summary: 'show all commands, or one in full',
  description:
    'Without an argument it lists every command. With one it shows the page of that command: its usage, arguments, flags and examples. With --json the same is data, as it is with mullion COMMAND --help --json.',
  arguments: {
    command: {
      label: 'COMMAND',
      summary: 'a command, such as launch',
      arity: 'optional',
      complete: 'command',
    },
    verb: { label: 'VERB', summary: 'its verb, such as push of file', arity: 'optional' },
    third: { label: 'WORD', summary: 'its third word, such as add of backup repo', arity: 'optional' },
  },
  flags: {},
  examples: [
    { line: 'mullion help launch', does: 'everything about launch' },
    { line: 'mullion help file push', does: 'a command of two words' },
  ],
  run: async ({ terminal, json }, { arguments: { command: first, verb, third } }) => {
    const { group, overview, showCommand, showDescriptions } = await import('../help/show.ts');
    const resolved = resolveCommand([first, verb, third].filter((word) => word !== undefined));
    if (resolved.kind === 'command') await showCommand(resolved.name, terminal, json);
    else if (json) await showDescriptions(resolved, terminal);
    else if (resolved.kind === 'group') terminal.printAll(await group(resolved.name, terminal.style));
    else terminal.printAll(await overview(terminal.style));
    return 0;
  },
});
