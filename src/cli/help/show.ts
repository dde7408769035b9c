import { MullionError } from '../../contract/error-table.ts';
import type { Command } from '../command.ts';
import type { Style } from '../output/style.ts';
import {
  CHAPTERS,
  COMMAND_NAMES,
  COMMANDS,
  type CommandName,
  groupMembers,
  groupVerbs,
  isCommandName,
} from '../registry.ts';
import type { Resolved } from '../resolve.ts';
import type { Terminal } from '../terminal.ts';
import { describeCommand } from './describe.ts';
import { renderCommandHelp, section } from './render.ts';

/** Help for people never spreads over a whole wide screen. */
const WIDEST = 80;

export async function showCommand(name: CommandName, terminal: Terminal, json: boolean): Promise<number> {
  const command = await COMMANDS[name]();
  if (json) terminal.print(JSON.stringify(describeCommand(name, command)));
  else terminal.printAll(renderCommandHelp(name, command, Math.min(terminal.width, WIDEST), terminal.style));
  return 0;
}

/** `mullion` and `mullion file`: with --help on standard output, else on standard error as the request is incomplete. */
export async function showOverviewOrGroup(
  resolved: Exclude<Resolved, { kind: 'command' }>,
  terminal: Terminal,
  json: boolean,
): Promise<number> {
  const asked = resolved.words.includes('--help') || resolved.words.includes('-h');
  if (json) {
    if (!asked) throw incomplete(resolved);
    await showDescriptions(resolved, terminal);
    return 0;
  }
  const style = asked ? terminal.style : terminal.errorStyle;
  const lines = resolved.kind === 'overview' ? await overview(style) : await group(resolved.name, style);
  for (const line of lines) (asked ? terminal.print : terminal.note)(line);
  return asked ? 0 : 2;
}

const incomplete = (resolved: Exclude<Resolved, { kind: 'command' }>): MullionError =>
  resolved.kind === 'overview'
    ? new MullionError('invalid_request', 'The command is missing.', { remedy: 'See: mullion help' })
    : new MullionError('invalid_request', `The verb after "${resolved.name}" is missing.`, {
        remedy: `See: mullion ${resolved.name} --help`,
      });

/** The pages of all commands, or of a group's, as one document. */
export async function showDescriptions(
  resolved: Exclude<Resolved, { kind: 'command' }>,
  terminal: Terminal,
): Promise<void> {
  const names = resolved.kind === 'overview' ? COMMAND_NAMES : groupMembers(resolved.name);
  const pages = await Promise.all(names.map(async (name) => describeCommand(name, await COMMANDS[name]())));
  terminal.print(JSON.stringify(pages));
}

export async function overview(style: Style): Promise<string[]> {
  const chapters = await Promise.all(
    CHAPTERS.map(async ({ title, members }) =>
      section(style('bold', title), await Promise.all(members.map(memberRow)), WIDEST),
    ),
  );
  return [
    `${style('bold', 'Mullion')} divides one server into isolated virtual private servers.`,
    '',
    style('bold', 'Usage'),
    '  mullion COMMAND [ARGUMENTS] [--json] [--project NAME] [--quiet] [--no-wait]',
    '',
    ...chapters.flat(),
    `More on each: mullion help COMMAND. Begin with: mullion quickstart`,
  ];
}

async function memberRow(member: string): Promise<[string, string]> {
  if (isCommandName(member)) return [member, (await COMMANDS[member]()).summary];
  const verbs = groupVerbs(member);
  return [member, `${GROUPS[member] ?? ''}: ${verbs.join(', ')}`];
}

const GROUPS: Readonly<Record<string, string>> = {
  file: 'files of a VPS',
  forward: 'host ports sent to a VPS',
  image: 'what VPSs start from',
  backup: 'copies of VPSs outside the pool',
  'backup repo': 'where backups go',
  'backup schedule': 'backups that are made by themselves',
  network: 'private networks',
  firewall: 'what reaches VPSs',
  'firewall rule': 'rules of a group',
  project: 'tenants',
  pool: 'where data lives',
  task: 'long-running operations',
  token: 'who may use the API over the network',
  daemon: 'the service behind it all',
};

export async function group(name: string, style: Style): Promise<string[]> {
  const members = await Promise.all(
    groupMembers(name).map(
      async (member): Promise<[string, string]> => [member, (await COMMANDS[member]()).summary],
    ),
  );
  return [
    ...section(style('bold', `mullion ${name}: ${GROUPS[name] ?? ''}`), members, WIDEST),
    `More on each: mullion help ${name} VERB`,
  ];
}

/** Every command, loaded, by name. */
export async function loadAll(): Promise<[CommandName, Command][]> {
  return Promise.all(
    Object.entries(COMMANDS).map(
      async ([name, load]): Promise<[CommandName, Command]> => [name as CommandName, await load()],
    ),
  );
}
