import {
  type Argument,
  type Command,
  type Completion,
  type Flag,
  type Flags,
  GLOBAL_FLAGS,
} from '../command.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import { COMMAND_NAMES, COMMANDS, groupMembers, groupVerbs, isCommandName } from '../registry.ts';

/** Asks for the names that exist. */
export type Names = Readonly<
  Record<Exclude<Completion, 'file' | 'command'>, (arguments_: readonly string[]) => Promise<string[]>>
>;

/** The shell completes file names itself. */
const FILE = ':file';

/** Lines for the last of the words, which may be empty or begun. */
export async function candidates(words: readonly string[], names: Names): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  const [first, second, third] = before;
  if (first === undefined) return matching(current, topLevel());
  if (groupMembers(first).length > 0 && second === undefined) return verbsOf(first, current);
  const pair = `${first} ${second ?? ''}`;
  if (groupMembers(pair).length > 0 && third === undefined) return verbsOf(pair, current);
  const triple = `${pair} ${third ?? ''}`;
  const name = [triple, pair].find(isCommandName) ?? first;
  if (!isCommandName(name)) return [];
  const command = await COMMANDS[name]();
  return ofCommand(command, before.slice(name.split(' ').length), current, names);
}

const verbsOf = (group: string, current: string): string[] =>
  matching(
    current,
    groupVerbs(group).map((verb) => [verb, '']),
  );

function topLevel(): [string, string][] {
  return [...new Set(COMMAND_NAMES.map((name) => name.split(' ')[0] ?? name))].map((name) => [name, '']);
}

async function ofCommand(
  command: Command,
  before: readonly string[],
  current: string,
  names: Names,
): Promise<string[]> {
  const flags: Flags = { ...command.flags, ...GLOBAL_FLAGS };
  if (before.includes('--')) return [];
  const pending = flagOf(flags, before.at(-1));
  if (pending !== undefined && pending.kind !== 'boolean') return ofFlag(pending, current, names);
  if (current.startsWith('-')) {
    return matching(
      current,
      Object.entries(flags).map(([key, flag]) => [`--${key}`, flag.summary]),
    );
  }
  const given = argumentsIn(flags, before);
  const argument = argumentAt(command, given.length);
  return argument?.complete === undefined ? [] : named(argument.complete, current, names, given);
}

const flagOf = (flags: Flags, word: string | undefined): Flag | undefined =>
  word?.startsWith('--') === true ? flags[word.slice(2)] : undefined;

async function ofFlag(flag: Flag, current: string, names: Names): Promise<string[]> {
  if (flag.kind === 'choice')
    return matching(
      current,
      flag.choices.map((choice) => [choice, '']),
    );
  return flag.complete === undefined ? [] : named(flag.complete, current, names);
}

/** The words that are no flag and no flag's value. */
function argumentsIn(flags: Flags, before: readonly string[]): string[] {
  const given: string[] = [];
  for (let index = 0; index < before.length; index += 1) {
    const word = before[index] ?? '';
    const flag = flagOf(flags, word);
    if (flag !== undefined && flag.kind !== 'boolean') index += 1;
    else if (!word.startsWith('-')) given.push(word);
  }
  return given;
}

/** The positional that the next word would be. */
function argumentAt(command: Command, count: number): Argument | undefined {
  const all = Object.values(command.arguments);
  const last = all.at(-1);
  return all[count] ?? (last?.arity === 'many' ? last : undefined);
}

async function named(
  kind: Completion,
  current: string,
  names: Names,
  given: readonly string[] = [],
): Promise<string[]> {
  if (kind === 'file') return [FILE];
  if (kind === 'command') return matching(current, topLevel());
  try {
    return matching(
      current,
      (await names[kind](given)).map((name) => [name, '']),
    );
  } catch {
    return [];
  }
}

const matching = (current: string, pairs: readonly (readonly [string, string])[]): string[] =>
  pairs
    .filter(([name]) => name.startsWith(current))
    .map(([name, meaning]) => (meaning === '' ? sanitizeLine(name) : `${sanitizeLine(name)}\t${meaning}`));
