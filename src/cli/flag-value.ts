import { parseRate } from '../contract/rate-text.ts';
import { parseSize } from '../contract/size-text.ts';
import type { Flag } from './command.ts';
import { usage } from './parse.ts';
import { suggest } from './suggest.ts';

type Value = boolean | number | string | readonly string[] | Readonly<Record<string, string>> | undefined;

/** The value of a flag from the words given for it; the last one counts where only one can. */
export function parseFlagValue(key: string, flag: Flag, words: readonly string[], command: string): Value {
  const last = words.at(-1);
  switch (flag.kind) {
    case 'boolean':
      return words.length > 0;
    case 'texts':
      return words;
    case 'pairs':
      return Object.fromEntries(words.map((word) => splitPair(key, word, command)));
    case 'text':
      return last;
    case 'number':
      return last === undefined ? undefined : readNumber(key, last, command);
    case 'size':
      return last === undefined ? undefined : readSize(`--${key}`, last, command);
    case 'rate':
      return last === undefined ? undefined : readRate(`--${key}`, last, command);
    case 'choice':
      return last === undefined ? undefined : readChoice(key, last, flag.choices, command);
  }
}

export function readRate(label: string, word: string, command: string): number {
  const bits = parseRate(word);
  if (bits === undefined)
    throw usage(command, `${label}: "${word}" is not a rate in bits a second; write it like 100M or 1G.`);
  return bits;
}

export function readSize(label: string, word: string, command: string): number {
  const bytes = parseSize(word);
  if (bytes === undefined)
    throw usage(command, `${label}: "${word}" is not a size; write it like 256M or 2G.`);
  return bytes;
}

function readNumber(key: string, word: string, command: string): number {
  if (!/^-?\d+(?:\.\d+)?$/.test(word)) throw usage(command, `--${key}: "${word}" is not a number.`);
  return Number(word);
}

function readChoice(key: string, word: string, choices: readonly string[], command: string): string {
  if (choices.includes(word)) return word;
  const [near] = suggest(word, choices);
  const hint = near === undefined ? '' : ` Did you mean ${near}?`;
  throw usage(command, `--${key}: "${word}" is none of ${choices.join(', ')}.${hint}`);
}

export function splitPair(key: string, word: string, command: string): [string, string] {
  const equals = word.indexOf('=');
  if (equals < 1) throw usage(command, `${key}: "${word}" is not of the form KEY=VALUE.`);
  return [word.slice(0, equals), word.slice(equals + 1)];
}
