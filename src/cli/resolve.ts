import { MullionError } from '../contract/error-table.ts';
import { type Flag, GLOBAL_FLAGS } from './command.ts';
import { COMMAND_NAMES, type CommandName, groupMembers, isCommandName } from './registry.ts';
import { suggest } from './suggest.ts';

export type Resolved =
  | { readonly kind: 'command'; readonly name: CommandName; readonly words: readonly string[] }
  | { readonly kind: 'group'; readonly name: string; readonly words: readonly string[] }
  | { readonly kind: 'overview'; readonly words: readonly string[] };

/** Words of other tools for what is called something else here. */
const SYNONYMS: Readonly<Record<string, CommandName>> = {
  create: 'launch',
  run: 'launch',
  new: 'launch',
  ls: 'list',
  ps: 'list',
  show: 'info',
  inspect: 'info',
  status: 'daemon status',
  rm: 'delete',
  remove: 'delete',
  destroy: 'delete',
  shell: 'exec',
  ssh: 'exec',
  enter: 'exec',
  attach: 'console',
  log: 'logs',
  reboot: 'restart',
  shutdown: 'stop',
  kill: 'stop',
  freeze: 'pause',
  unpause: 'resume',
  config: 'set',
  cp: 'file push',
  port: 'forward add',
  images: 'image list',
  networks: 'network list',
  projects: 'project list',
  pools: 'pool list',
  tasks: 'task list',
  snapshots: 'snapshot list',
  clone: 'copy',
  mv: 'rename',
  scrub: 'pool check',
  rollback: 'snapshot restore',
};

/** What a group alone means. */
const DEFAULT_VERBS: Readonly<Record<string, CommandName>> = { daemon: 'daemon status' };

/**
 * Finds the command among the words; global flags may stand before it.
 * @throws MullionError `invalid_request` with the nearest names for an unknown one.
 */
export function resolveCommand(argv: readonly string[]): Resolved {
  const flagsBefore = takeGlobalFlags(argv);
  const [first, ...afterFirst] = argv.slice(flagsBefore.length);
  if (first === undefined) return { kind: 'overview', words: flagsBefore };
  const members = groupMembers(first);
  if (members.length === 0) {
    if (isCommandName(first)) return { kind: 'command', name: first, words: [...flagsBefore, ...afterFirst] };
    throw unknownCommand(first, undefined, members);
  }
  const flagsBetween = takeGlobalFlags(afterFirst);
  const [second, ...rest] = afterFirst.slice(flagsBetween.length);
  const words = [...flagsBefore, ...flagsBetween, ...rest];
  const preset = DEFAULT_VERBS[first];
  const wantsHelp = words.includes('--help') || words.includes('-h');
  if (second === undefined && preset !== undefined && !wantsHelp) {
    return { kind: 'command', name: preset, words };
  }
  if (second === undefined) return { kind: 'group', name: first, words };
  const name = `${first} ${second}`;
  if (isCommandName(name)) return { kind: 'command', name, words };
  if (groupMembers(name).length > 0) return inSubgroup(name, [...flagsBefore, ...flagsBetween], rest);
  throw unknownCommand(first, second, members);
}

/** `backup repo add`: a group within a group. */
function inSubgroup(group: string, flags: readonly string[], after: readonly string[]): Resolved {
  const flagsBetween = takeGlobalFlags(after);
  const [verb, ...rest] = after.slice(flagsBetween.length);
  const words = [...flags, ...flagsBetween, ...rest];
  if (verb === undefined) return { kind: 'group', name: group, words };
  const name = `${group} ${verb}`;
  if (isCommandName(name)) return { kind: 'command', name, words };
  throw unknownCommand(group, verb, groupMembers(group));
}

/** The flags at the beginning, each with its value. */
function takeGlobalFlags(words: readonly string[]): string[] {
  const taken: string[] = [];
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? '';
    if (!word.startsWith('-') || word === '-' || word === '--') break;
    taken.push(word);
    const flag: Flag | undefined = Object.entries(GLOBAL_FLAGS).find(([key]) => word === `--${key}`)?.[1];
    const value = words[index + 1];
    if (flag === undefined || flag.kind === 'boolean' || value === undefined) continue;
    taken.push(value);
    index += 1;
  }
  return taken;
}

function unknownCommand(first: string, second: string | undefined, members: CommandName[]): MullionError {
  if (members.length > 0) {
    const near = suggest(
      second ?? '',
      members.map((name) => name.slice(first.length + 1)),
    );
    return unknown(
      `${first} ${second ?? ''}`,
      near.map((verb) => `${first} ${verb}`),
      `mullion ${first} --help`,
    );
  }
  const synonym = Object.hasOwn(SYNONYMS, first) ? SYNONYMS[first] : undefined;
  const words = [...new Set(COMMAND_NAMES.map((name) => name.split(' ')[0] ?? name))];
  return unknown(first, synonym === undefined ? suggest(first, words) : [synonym], 'mullion help');
}

function unknown(word: string, near: readonly string[], help: string): MullionError {
  const hint = near.length === 0 ? '' : ` Did you mean ${near.map((name) => `"${name}"`).join(' or ')}?`;
  return new MullionError('invalid_request', `There is no command "${word}".${hint}`, {
    remedy: `See all commands with: ${help}`,
  });
}
