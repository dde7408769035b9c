import { attach, windowOf } from '../attach.ts';
import { defineCommand } from '../command.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'run a command in a VPS',
  description:
    "Standard input, output and error are those of the command inside; its exit code is this command's. Signals are handed on. With --tty the command gets a terminal: use it for shells and editors. A machine that still boots is waited for, for two minutes; an interrupt ends the wait.\n\nThe -- parts the command and its flags from those of mullion.",
  arguments: {
    name: VPS,
    argv: { label: 'CMD', summary: 'the command and its arguments', arity: 'rest' },
  },
  flags: {
    tty: { kind: 'boolean', short: 't', summary: 'give the command a terminal' },
    env: { kind: 'pairs', value: 'KEY=VALUE', short: 'e', summary: 'set a variable' },
    cwd: { kind: 'text', value: 'FOLDER', summary: 'run it in this folder' },
    user: {
      kind: 'text',
      value: 'USER[:GROUP]',
      short: 'u',
      summary: 'run it as this user',
      default: 'root',
    },
  },
  examples: [
    { line: 'mullion exec web -- uname -a', does: 'one command' },
    { line: 'mullion exec web --tty -- bash', does: 'a shell' },
    { line: 'mullion exec db -- pg_dump shop > shop.sql', does: 'into a local file' },
    { line: 'tar c site | mullion exec web -- tar x -C /srv', does: 'from a local pipe' },
  ],
  seeAlso: ['console', 'file push'],
  withoutJson: 'its output is the output of the command',
  run: async (context, { arguments: { name, argv }, flags }) => {
    const window = flags.tty ? windowOf(process.stdout) : undefined;
    const socket = await context.client.socket('vps.exec', { params: { name }, query: context.project });
    return attach(
      socket,
      { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
      {
        raw: flags.tty,
        onWait: () => {
          if (context.terminal.canRedraw) context.terminal.note(`waiting for ${name} to answer ...`);
        },
        request: {
          argv: [...argv],
          env: { ...terminalType(flags.tty, context.environment), ...flags.env },
          tty: flags.tty,
          ...(flags.cwd === undefined ? {} : { cwd: flags.cwd }),
          ...(flags.user === undefined ? {} : { user: flags.user }),
          ...(window === undefined ? {} : { window }),
        },
      },
    );
  },
});

/** A terminal inside must know what kind the one outside is. */
const terminalType = (
  tty: boolean,
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, string> => (tty ? { TERM: environment.TERM ?? 'xterm' } : {});
