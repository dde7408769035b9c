import { MullionError } from '../contract/error-table.ts';
import {
  type Command,
  type Flag,
  type Flags,
  GLOBAL_FLAGS,
  type Input,
  type Positionals,
} from './command.ts';
import { parseFlagValue } from './flag-value.ts';
import { suggest } from './suggest.ts';

export interface Parsed {
  readonly input: Input<Positionals, Flags>;
  readonly global: {
    readonly json: boolean;
    readonly project: string | undefined;
    readonly quiet: boolean;
    readonly wait: boolean;
    readonly help: boolean;
  };
}

/**
 * Reads the words after a command's name.
 * @throws MullionError `invalid_request` with the remedy.
 */
export function parseArguments(name: string, command: Command, words: readonly string[]): Parsed {
  const flags: Flags = { ...command.flags, ...GLOBAL_FLAGS };
  const { given, positionals } = splitWords(name, flags, command.arguments, words);
  const value = (key: string): unknown => {
    const flag = flags[key];
    return flag === undefined ? undefined : parseFlagValue(key, flag, given.get(key) ?? [], name);
  };
  const help = value('help') === true;
  const project = value('project');
  return {
    input: {
      arguments: help ? {} : assignPositionals(name, command.arguments, positionals),
      flags: Object.fromEntries(Object.keys(command.flags).map((key) => [key, value(key)])),
    } as Input<Positionals, Flags>,
    global: {
      json: value('json') === true,
      project: typeof project === 'string' ? project : undefined,
      quiet: value('quiet') === true,
      wait: value('no-wait') !== true,
      help,
    },
  };
}

/**
 * Whether JSON is asked for, by words that may be wrong; those of another program ask for nothing. Without a command
 * every word counts up to `--`.
 */
export function asksForJson(command: Command | undefined, words: readonly string[]): boolean {
  const flags: Flags = { ...command?.flags, ...GLOBAL_FLAGS };
  const restAt = restIndex(command?.arguments ?? {});
  let positionals = 0;
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (beginsRest(word, positionals, restAt)) return false;
    if (word === '--json') return true;
    if (!isFlag(word)) {
      positionals += 1;
      continue;
    }
    const found = findFlag(flags, word);
    const takesNext = found !== undefined && found.inline === undefined && flags[found.key] !== undefined;
    if (takesNext && flags[found.key]?.kind !== 'boolean' && words[index + 1] !== '--json') index += 1;
  }
  return false;
}

const isFlag = (word: string): boolean => word.startsWith('-') && word !== '-';

/** From which positional on words belong to another program and are taken as they stand; -1: from none. */
const restIndex = (expected: Positionals): number =>
  Object.values(expected).findIndex(({ arity }) => arity === 'rest');

const beginsRest = (word: string, positionals: number, restAt: number): boolean =>
  word === '--' || (restAt >= 0 && positionals >= restAt && !word.startsWith('-'));

function splitWords(
  name: string,
  flags: Flags,
  expected: Positionals,
  words: readonly string[],
): { given: Map<string, string[]>; positionals: string[] } {
  const restAt = restIndex(expected);
  const given = new Map<string, string[]>();
  const positionals: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (beginsRest(word, positionals.length, restAt)) {
      positionals.push(...words.slice(word === '--' ? index + 1 : index));
      break;
    }
    if (!isFlag(word)) {
      positionals.push(word);
      continue;
    }
    const { key = '', inline } = findFlag(flags, word) ?? {};
    const flag = flags[key];
    if (flag === undefined) throw unknownFlag(name, flags, word);
    const values = given.get(key) ?? [];
    given.set(key, values);
    if (flag.kind === 'boolean') {
      if (inline !== undefined) throw usage(name, `--${key} takes no value.`);
      values.push('');
      continue;
    }
    const next = inline ?? words[index + 1];
    if (next === undefined) throw usage(name, `--${key} needs a value: ${placeholder(flag)}.`);
    if (inline === undefined) index += 1;
    values.push(next);
  }
  return { given, positionals };
}

/** The name that a word gives, with the value in it; undefined for a letter that no flag has. */
function findFlag(flags: Flags, word: string): { key: string; inline: string | undefined } | undefined {
  if (word.startsWith('--')) {
    const equals = word.indexOf('=');
    return equals < 0
      ? { key: word.slice(2), inline: undefined }
      : { key: word.slice(2, equals), inline: word.slice(equals + 1) };
  }
  const found = Object.entries(flags).find(([, flag]) => flag.short === word.slice(1, 2));
  if (found === undefined) return undefined;
  return { key: found[0], inline: word.length > 2 ? word.slice(2) : undefined };
}

function assignPositionals(
  name: string,
  expected: Positionals,
  words: readonly string[],
): Record<string, string | readonly string[] | undefined> {
  const left = [...words];
  const values: Record<string, string | readonly string[] | undefined> = {};
  for (const [key, argument] of Object.entries(expected)) {
    if (argument.arity === 'many' || argument.arity === 'rest') values[key] = left.splice(0);
    else values[key] = left.shift();
    const absent = values[key] === undefined || values[key]?.length === 0;
    if (absent && argument.arity !== 'optional') {
      throw usage(name, `${argument.label} is missing: ${argument.summary}.`);
    }
  }
  const [extra] = left;
  if (extra !== undefined) throw usage(name, `"${extra}" is one argument too many.`);
  return values;
}

export const placeholder = (flag: Flag): string =>
  flag.kind === 'boolean' ? '' : flag.kind === 'choice' ? flag.choices.join('|') : flag.value;

function unknownFlag(name: string, flags: Flags, word: string): MullionError {
  const shown = word.split('=')[0] ?? word;
  const near = suggest(shown.replace(/^-+/, ''), Object.keys(flags)).map((key) => `--${key}`);
  const hint = near.length === 0 ? '' : ` Did you mean ${near.join(' or ')}?`;
  return usage(name, `There is no flag ${shown}.${hint}`);
}

/** The request is wrong on its face. */
export const usage = (name: string, message: string): MullionError =>
  new MullionError('invalid_request', message, { remedy: `See: mullion ${name} --help` });
