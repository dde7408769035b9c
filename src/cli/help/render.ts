import { type Argument, type Command, type Flag, type Flags, GLOBAL_FLAGS } from '../command.ts';
import { plainStyle, type Style } from '../output/style.ts';
import { padEnd, textWidth, wrap } from '../output/width.ts';
import { placeholder } from '../parse.ts';

const WIDEST = 80;
const INDENT = '  ';

/** A command's page: what it is, how it is called, what each part means, examples. */
export function renderCommandHelp(
  name: string,
  command: Command,
  width: number,
  style: Style = plainStyle,
): string[] {
  const room = Math.min(width, WIDEST);
  const heading = (text: string): string => style('bold', text);
  return [
    heading(`mullion ${name}`),
    ...wrap(command.summary, room - 2).map((line) => INDENT + line),
    '',
    heading('Usage'),
    ...wrap(usageLine(name, command), room - 6).map(
      (line, index) => `${INDENT}${index === 0 ? '' : '    '}${line.replaceAll(NO_BREAK, ' ')}`,
    ),
    '',
    ...command.description.split(/\n\s*\n/).flatMap((paragraph) => [...wrap(paragraph, room), '']),
    ...section(
      heading('Arguments'),
      Object.values(command.arguments).map((argument) => [argument.label, argument.summary]),
      room,
    ),
    ...section(heading('Flags'), flagRows(command.flags), room),
    ...section(heading('Flags of every command'), flagRows(globalFlags(command)), room),
    ...(command.examples.length === 0 ? [] : [heading('Examples')]),
    ...command.examples.flatMap(({ line, does }) => [
      ...wrap(`${does}:`, room - 2).map((text) => INDENT + text),
      `${INDENT}${INDENT}${style('cyan', `$ ${line}`)}`,
    ]),
    ...(command.seeAlso === undefined || command.seeAlso.length === 0
      ? []
      : [
          '',
          heading('See also'),
          ...wrap(command.seeAlso.map((other) => `mullion ${other}`).join(', '), room - 2).map(
            (line) => INDENT + line,
          ),
        ]),
  ];
}

const globalFlags = ({ withoutJson }: Command): Flags =>
  withoutJson === undefined
    ? GLOBAL_FLAGS
    : { ...GLOBAL_FLAGS, json: { kind: 'boolean', summary: `refused: ${withoutJson}` } };

/** Holds a flag and its value on one line. */
const NO_BREAK = '\u00a0';

/** `mullion launch IMAGE [NAME] [--technique auto|os|...]` */
function usageLine(name: string, command: Command): string {
  const flags = Object.entries(command.flags).map(([key, flag]) => `[${flagForm(key, flag)}]`);
  const positionals = Object.values(command.arguments);
  const rest = positionals.filter((argument) => argument.arity === 'rest');
  const others = positionals.filter((argument) => argument.arity !== 'rest');
  return [
    'mullion',
    name,
    ...others.map(argumentForm),
    ...flags,
    ...rest.map((argument) => `-- ${argument.label}...`),
  ]
    .map((part, index) => (index < 2 ? part : part.replaceAll(' ', NO_BREAK)))
    .join(' ');
}

function argumentForm(argument: Argument): string {
  switch (argument.arity ?? 'one') {
    case 'one':
      return argument.label;
    case 'optional':
      return `[${argument.label}]`;
    case 'many':
    case 'rest':
      return `${argument.label}...`;
  }
}

function flagForm(key: string, flag: Flag): string {
  const value = placeholder(flag);
  return value === '' ? `--${key}` : `--${key} ${value}`;
}

function flagRows(flags: Flags): [string, string][] {
  return Object.entries(flags).map(([key, flag]) => {
    const short = flag.short === undefined ? '' : `-${flag.short}, `;
    const many = flag.kind === 'texts' || flag.kind === 'pairs' ? '; may be repeated' : '';
    const preset = flag.kind !== 'boolean' && flag.default !== undefined ? ` (default ${flag.default})` : '';
    return [short + flagForm(key, flag), `${flag.summary}${many}${preset}`];
  });
}

/** Two columns under a heading; what is too long for the left one stands on a line of its own. */
export function section(
  heading: string,
  rows: readonly (readonly [string, string])[],
  width: number,
): string[] {
  if (rows.length === 0) return [];
  const left = Math.min(26, Math.max(...rows.map(([term]) => textWidth(term))));
  const lines = rows.flatMap(([term, meaning]) => {
    const text = wrap(meaning, Math.max(20, width - left - 4));
    const first = textWidth(term) > left;
    return [
      ...(first ? [`${INDENT}${term}`] : []),
      ...text.map(
        (line, index) => `${INDENT}${padEnd(index === 0 && !first ? term : '', left)}${INDENT}${line}`,
      ),
    ];
  });
  return [heading, ...lines, ''];
}
