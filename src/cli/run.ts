import { createClient } from '../client/client.ts';
import { createNodeTransport } from '../client/node-transport.ts';
import { findTarget } from '../client/target.ts';
import type { Context } from './context.ts';
import { parseArguments } from './parse.ts';
import { COMMANDS } from './registry.ts';
import { reportError } from './report-error.ts';
import { resolveCommand } from './resolve.ts';
import { openTerminal } from './terminal.ts';

/** Runs one command line and answers its exit code. */
export async function runCommandLine(
  argv: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  // Errors of the parser must know whether they are wanted as JSON.
  const ownWords = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  const json = ownWords.includes('--json');
  const terminal = openTerminal(process.stdout, process.stderr, environment, json);
  try {
    if (argv[0] === '__complete') {
      const { complete } = await import('./completion/complete.ts');
      return await complete(argv.slice(1), environment, terminal);
    }
    const words = argv[0] === '--version' || argv[0] === '-V' ? ['version', ...argv.slice(1)] : argv;
    const resolved = resolveCommand(words);
    if (resolved.kind !== 'command') {
      const { showOverviewOrGroup } = await import('./help/show.ts');
      return await showOverviewOrGroup(resolved, terminal);
    }
    const command = await COMMANDS[resolved.name]();
    const { input, global } = parseArguments(resolved.name, command, resolved.words);
    if (global.help) {
      const { showCommand } = await import('./help/show.ts');
      return await showCommand(resolved.name, terminal);
    }
    const context: Context = {
      client: createClient(createNodeTransport(findTarget(environment))),
      terminal,
      environment,
      json: global.json,
      quiet: global.quiet,
      wait: global.wait,
      project: global.project === undefined ? {} : { project: global.project },
    };
    return (await command.run(context, input)) ?? 0;
  } catch (thrown) {
    return reportError(thrown, terminal, json);
  }
}
