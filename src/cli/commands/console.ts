import { attach } from '../attach.ts';
import { defineCommand } from '../command.ts';
import { createDetachFilter, DETACH_HINT } from '../detach-keys.ts';
import { usage } from '../parse.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'attach to the console of a VPS',
  description: `Shows the console, as a screen and keyboard plugged into the machine would. Several may be attached at once. Leave it with ${DETACH_HINT}; the VPS goes on. Press Enter when nothing shows.`,
  arguments: { name: VPS },
  flags: {},
  examples: [{ line: 'mullion console web', does: `log in at the console; leave with ${DETACH_HINT}` }],
  seeAlso: ['logs', 'exec'],
  run: async (context, { arguments: { name } }) => {
    if (context.json) throw usage('console', 'console cannot print JSON: it is a live terminal.');
    const socket = await context.client.socket('vps.console', { params: { name }, query: context.project });
    const typed = process.stdin.isTTY === true;
    if (typed && !context.quiet) {
      context.terminal.note(
        context.terminal.errorStyle('dim', `Attached to ${name}. Leave with ${DETACH_HINT}.`),
      );
    }
    const code = await attach(
      socket,
      { stdin: process.stdin, stdout: process.stdout, stderr: process.stderr },
      { raw: true, filter: typed ? createDetachFilter() : undefined },
    );
    if (typed && !context.quiet) {
      context.terminal.note(`\r\n${context.terminal.errorStyle('dim', `Left the console of ${name}.`)}`);
    }
    return code;
  },
});
