import { MullionError } from '../../contract/error-table.ts';
import { defineCommand } from '../command.ts';
import { isCommandName } from '../registry.ts';
import { resolveCommand } from '../resolve.ts';

export const command = defineCommand({
  summary: 'show all commands, or one in full',
  description:
    'Without an argument it lists every command. With one it shows the page of that command: its usage, arguments, flags and examples.',
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
  run: async ({ terminal }, { arguments: { command: first, verb, third } }) => {
    const { group, overview, showCommand } = await import('../help/show.ts');
    if (first === undefined) {
      terminal.printAll(await overview(terminal.style));
      return 0;
    }
    const resolved = resolveCommand([first, verb, third].filter((word) => word !== undefined));
    if (resolved.kind === 'group') terminal.printAll(await group(resolved.name, terminal.style));
    else if (resolved.kind === 'command' && isCommandName(resolved.name))
      await showCommand(resolved.name, terminal);
    else throw new MullionError('invalid_request', `There is no command "${first}".`);
    return 0;
  },
});
