import { once } from 'node:events';
import { attach } from '../attach.ts';
import { defineCommand } from '../command.ts';
import type { Context } from '../context.ts';
import { createDetachFilter, DETACH_HINT } from '../detach-keys.ts';
import { openBridge, type Place } from '../display.ts';
import { sanitizeLine } from '../output/sanitize.ts';
import { usage } from '../parse.ts';
import { reportError } from '../report-error.ts';
import { VPS } from '../vps-argument.ts';

export const command = defineCommand({
  summary: 'attach to the console of a VPS',
  description: `Shows the console, as a screen and keyboard plugged into the machine would. Several may be attached at once. Leave it with ${DETACH_HINT}; the VPS goes on. Press Enter when nothing shows.\n\nWith --vga the screen of a guest that boots by a loader of its own is offered to VNC viewers of this machine until Ctrl-C: on a port of 127.0.0.1, which every user of this machine can reach, or on a socket, which only you can. The way to the VPS's host is that of every command: its Unix socket, or TLS.`,
  arguments: { name: VPS },
  flags: {
    vga: { kind: 'boolean', summary: 'offer the screen to a VNC viewer' },
    port: { kind: 'number', value: 'PORT', summary: 'with --vga: the port; a free one when absent' },
    socket: {
      kind: 'text',
      value: 'PATH',
      summary: 'with --vga: a Unix socket in place of a port',
      complete: 'file',
    },
  },
  examples: [
    { line: 'mullion console web', does: `log in at the console; leave with ${DETACH_HINT}` },
    {
      line: 'mullion console installer --vga --port 5901',
      does: 'then, in another terminal: vncviewer 127.0.0.1::5901',
    },
    { line: 'mullion console installer --vga --socket ~/screen', does: 'for you alone: vncviewer ~/screen' },
  ],
  seeAlso: ['screenshot', 'logs', 'exec'],
  withoutJson: 'it is live',
  run: async (context, { arguments: { name }, flags }) => {
    if (flags.vga) return offerScreen(context, name, placeOf(flags));
    if (flags.port !== undefined || flags.socket !== undefined) {
      throw usage('console', '--port and --socket go with --vga.');
    }
    return attachConsole(context, name);
  },
});

async function attachConsole(context: Context, name: string): Promise<number> {
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
}

function placeOf({ port, socket }: { port?: number | undefined; socket?: string | undefined }): Place {
  if (socket === undefined) {
    if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536)) {
      throw usage('console', '--port must be a number from 1 to 65535.');
    }
    return { port: port ?? 0 };
  }
  if (port !== undefined) throw usage('console', 'Choose one of --port and --socket.');
  return { socket };
}

async function offerScreen(context: Context, name: string, place: Place): Promise<number> {
  // Whether there is a screen is found out at once, not by the first viewer.
  const picture = await context.client.stream('vps.screenshot', { params: { name }, query: context.project });
  for await (const _piece of picture);
  const connect = () => context.client.socket('vps.display', { params: { name }, query: context.project });
  const bridge = await openBridge(place, connect, (failure) => reportError(failure, context.terminal, false));
  try {
    context.terminal.print(`The screen of ${sanitizeLine(name)} is at ${bridge.address}`);
    if (!context.quiet) {
      context.terminal.note(`Open it with: vncviewer ${bridge.address}   Ctrl-C ends it; the VPS goes on.`);
    }
    await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')]);
  } finally {
    await bridge.close();
  }
  return 0;
}
