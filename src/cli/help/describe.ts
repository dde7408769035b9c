import type { Command } from '../command.ts';

/** A command's page as data. */
export const describeCommand = (name: string, command: Command) => ({
  name,
  summary: command.summary,
  description: command.description,
  arguments: Object.values(command.arguments).map(({ label, summary, arity = 'one' }) => ({
    label,
    summary,
    arity,
  })),
  flags: Object.entries(command.flags).map(([flag, { complete: _complete, ...rest }]) => ({
    name: flag,
    ...rest,
  })),
  examples: command.examples,
  seeAlso: command.seeAlso ?? [],
  json: command.withoutJson === undefined,
});
